// Containers with the use that arrives with the vitals every two seconds; everything else about them comes with their own events.
import type { Container, Vitals } from "../../api/types";

export function lively(containers: readonly Container[], vitals: Vitals | null): Container[] {
  return containers.map((container) => {
    const use = vitals?.loges.find((loge) => loge.user_id === container.user_id);
    if (!use || container.state === "absent") return container;
    const allowed = container.limits.cpus + container.lent_cpus;
    const share = allowed > 0 ? use.cpu_percent / allowed : 0;
    return {
      ...container,
      usage: { pids: container.usage?.pids ?? 0, cpu_percent: use.cpu_percent, cpu_of_quota_percent: share, memory_bytes: use.memory_bytes },
    };
  });
}

// What a machine can do, in words.
import type { GraphicsChip } from "../../api/types";

/** "4.2 × real time"; below 1 it is slower than the film, and nobody can watch it. */
export const times = (x: number): string => `${x >= 10 ? Math.round(x) : x.toFixed(1)} × real time${x < 1 ? ", too slow" : ""}`;

/** What was found of the graphics chip, in one or two sentences. */
export function chipSays(chip: Pick<GraphicsChip, "state" | "found" | "reason" | "driver" | "at_once">, measuring: boolean): string {
  const films = chip.at_once === 1 ? "one film" : `${chip.at_once} films`;
  switch (chip.state) {
    case "off":
      return chip.found ? "Off. This machine has a chip; whether it can encode is tested when you switch this on." : "Off. No chip was found in this machine.";
    case "absent":
      return "On, but no chip was found in this machine. Films are encoded by the processor.";
    case "untested":
      return measuring ? "On. It is being tested now." : "On, but not tested yet. Measure this machine above; until then films are encoded by the processor.";
    case "failed":
      return `On, but not used. ${chip.reason ?? "It did not pass its test."} Films are encoded by the processor.`;
    case "works":
      return `On. It passed its test (driver ${chip.driver ?? "unknown"}) and encodes ${films} at once; further ones are encoded by the processor.`;
  }
}

// Every question and order of the owner's half, with its types. The only place here that names paths.
import { api } from "../api/client";
import type {
  AdminUser,
  Alert,
  AuditEntry,
  Container,
  FolderCheck,
  FolderList,
  Invite,
  Job,
  Library,
  Limits,
  LogLine,
  NewInvite,
  NightShift,
  Rendition,
  Runtime,
  Session,
  SetAside,
  Settings,
  Stream,
  TitleCard,
  UseHistory,
  VitalsReply,
  WorkerImage,
} from "../api/types";

type Items<T> = { items: T[]; next_cursor?: string | null };
const list = async <T>(path: string): Promise<T[]> => (await api.get<Items<T>>(path)).items;
const id = encodeURIComponent;

export const calls = {
  vitals: (range: "live" | "1h" | "24h") => api.get<VitalsReply>(`/admin/vitals?range=${range}`),
  containers: () => list<Container>("/admin/containers"),
  restart: (user: string) => api.post<void>(`/admin/containers/${id(user)}/restart`, {}),
  stop: (user: string) => api.post<void>(`/admin/containers/${id(user)}/stop`, {}),
  setLimits: (user: string, limits: Partial<Limits>) => api.patch<Container>(`/admin/containers/${id(user)}/limits`, limits),
  containerLog: async (user: string) => (await api.get<{ lines: string[] }>(`/admin/containers/${id(user)}/logs?tail=200`)).lines,
  containerHistory: (user: string, range: string) => api.get<UseHistory>(`/admin/containers/${id(user)}/history?range=${range}`),
  runtime: () => api.get<Runtime>("/admin/runtime"),
  images: () => list<WorkerImage>("/admin/images"),
  useImage: (image: string) => api.post<void>(`/admin/images/${id(image)}/use`, {}),
  importImage: (path: string) => api.post<{ id: string }>("/admin/images/import", { path }),
  setAside: () => list<SetAside>("/admin/quarantine"),
  takeBack: (file: string) => api.delete(`/admin/quarantine/${id(file)}`),

  streams: () => list<Stream>("/admin/streams"),
  stopStream: (play: string) => api.delete(`/admin/streams/${id(play)}`),
  message: (play: string, text: string) => api.post<void>(`/admin/streams/${id(play)}/message`, { text }),

  jobs: () => list<Job>("/admin/jobs"),
  steerJob: (job: string, verb: "pause" | "resume" | "cancel") => api.post<void>(`/admin/jobs/${id(job)}/${verb}`, {}),
  steerJobs: (verb: "pause-all" | "resume-all") => api.post<void>(`/admin/jobs/${verb}`, {}),

  renditions: () => list<Rendition>("/admin/renditions"),
  steerRendition: (rendition: string, verb: "first" | "pause" | "resume") => api.post<void>(`/admin/renditions/${id(rendition)}/${verb}`, {}),
  removeRendition: (rendition: string) => api.delete(`/admin/renditions/${id(rendition)}`),
  nightShift: () => api.get<NightShift>("/admin/night-shift"),
  changeNightShift: (change: Partial<Pick<NightShift, "enabled" | "from" | "to" | "cap_bytes">>) => api.patch<NightShift>("/admin/night-shift", change),

  users: () => list<AdminUser>("/admin/users"),
  createUser: (form: { username: string; password: string; role: string; libraries: string[] }) => api.post<AdminUser>("/admin/users", form),
  changeUser: (user: string, change: { role?: string; disabled?: boolean; password?: string }) => api.patch<AdminUser>(`/admin/users/${id(user)}`, change),
  deleteUser: (user: string) => api.delete(`/admin/users/${id(user)}`),
  grant: (user: string, libraries: string[]) => api.put<void>(`/admin/users/${id(user)}/grants`, { libraries }),
  invites: () => list<Invite>("/admin/invites"),
  invite: (libraries: string[], expires_in_s: number) => api.post<NewInvite>("/admin/invites", { libraries, expires_in_s }),
  withdraw: (invite: string) => api.delete(`/admin/invites/${id(invite)}`),
  sessions: () => list<Session>("/admin/sessions"),
  endSession: (session: string) => api.delete(`/admin/sessions/${id(session)}`),

  libraries: () => list<Library>("/libraries"),
  addLibrary: (form: { name: string; kind: string; folders: string[] }) => api.post<Library>("/libraries", form),
  changeLibrary: (library: string, change: { name?: string; folders?: string[] }) => api.patch<Library>(`/libraries/${id(library)}`, change),
  removeLibrary: (library: string) => api.delete(`/libraries/${id(library)}`),
  scan: (library: string) => api.post<{ job_id: string }>(`/libraries/${id(library)}/scan`, {}),
  checkFolder: (path: string) => api.post<FolderCheck>("/admin/folders/check", { path }),
  browse: (path: string) => api.get<FolderList>(`/admin/folders?path=${id(path)}`),
  newest: async (limit: number) => list<TitleCard>(`/titles?sort=added&order=desc&limit=${limit}`),
  countTitles: async (playability: string) => (await api.get<{ total: number }>(`/titles?playability=${playability}&limit=1`)).total,

  alerts: () => list<Alert>("/admin/alerts"),
  audit: () => list<AuditEntry>("/admin/audit"),
  log: async (level: string) => (await api.get<{ lines: LogLine[] }>(`/admin/logs?tail=200${level ? `&level=${level}` : ""}`)).lines,
  settings: () => api.get<Settings>("/admin/settings"),
  changeSettings: (change: Partial<Settings>) => api.patch<Settings>("/admin/settings", change),
};

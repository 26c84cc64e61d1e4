// The shapes of the HTTP API, as the server documents them at /api/openapi.json.

export type Role = "admin" | "viewer";
export type LibraryKind = "movies" | "shows" | "home";
export type LibraryState = "ready" | "scanning" | "offline";
export type FolderState = "online" | "offline" | "unreadable";
export type Playability = "direct" | "remux" | "needs_preparing" | "prepared" | "broken" | "unknown";
export type Method = "direct" | "remux" | "rendition" | "transcode";
export type Theme = "system" | "dark" | "light";

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total?: number;
}

export interface ServerInfo {
  name: string;
  /** Only for people who are signed in. */
  version?: string;
  setup_required: boolean;
}
export interface User {
  id: string;
  username: string;
  role: Role;
}
export interface Login {
  access_token: string;
  expires_in: number;
  user: User;
}
export interface Me extends User {
  session_id: string;
}
export interface Preferences {
  theme: Theme;
  /** Of subtitles. */
  language?: string | null;
  /** Of the sound. */
  audio_language?: string | null;
  autoplay_next: boolean;
}
export interface OwnSession {
  id: string;
  device?: string | null;
  created_at: string;
  last_seen_at: string;
  address?: string | null;
  current: boolean;
}

export interface LibraryFolder {
  id: string;
  path: string;
  state: FolderState;
  /** `gone`, `not_mounted`, `another_disk`, `hanging` or `refused`. */
  problem?: string | null;
  advice?: string | null;
  can_be_confirmed: boolean;
  unread: string[];
  unread_total: number;
  links: number;
}
export interface Library {
  id: string;
  name: string;
  kind: LibraryKind;
  state: LibraryState;
  title_count: number;
  /** Only for admins. */
  folders?: LibraryFolder[];
  last_scan_at?: string | null;
}
export interface FolderCheck {
  path: string;
  exists: boolean;
  is_directory: boolean;
  readable: boolean;
  videos_found: number;
  counting: boolean;
  blocked_by?: string | null;
  fix?: string | null;
  warning?: string | null;
}
export interface FolderEntry {
  name: string;
  path: string;
  readable: boolean;
}
export interface FolderList {
  path: string;
  parent?: string | null;
  entries: FolderEntry[];
}

export interface Progress {
  position_s: number;
  finished: boolean;
}
export interface TitleCard {
  id: string;
  library_id: string;
  name: string;
  year?: number | null;
  duration_s: number;
  width: number;
  height: number;
  container: string;
  video_codec?: string | null;
  audio_codec?: string | null;
  size_bytes: number;
  playability: Playability;
  added_at: string;
  poster_url?: string | null;
  progress?: Progress | null;
  missing: boolean;
}
export interface TitleFile {
  id: string;
  /** Missing until the file was looked into, and for what is no film. */
  container?: string | null;
  size_bytes: number;
  duration_s?: number | null;
  width?: number | null;
  height?: number | null;
  video_codec?: string | null;
  audio_codec?: string | null;
  bitrate?: number | null;
  playability: Playability;
  defect?: string | null;
  /** What the defect means, and what helps. */
  defect_text?: string | null;
  missing: boolean;
  path?: string | null;
}
export interface AudioTrack {
  index: number;
  codec: string;
  channels: number;
  language?: string | null;
  title?: string | null;
  /** For people: "Deutsch · 5.1". */
  label: string;
  default: boolean;
  selected: boolean;
}
export interface SubtitleTrack {
  /** Names it; not its place in a list. */
  index: number;
  codec: string;
  /** A language tag (BCP 47): `de`, `pt-BR`, `zh-Hans`. */
  language?: string | null;
  /** For people: "Deutsch (forced)". No two in a list are the same. */
  label: string;
  forced: boolean;
  /** Shown unless somebody chooses otherwise. */
  default: boolean;
  /** WebVTT; null outside a play, and for what cannot be shown. */
  url: string | null;
  /** Why it cannot be shown. */
  note: string | null;
}
export interface Chapter {
  start_s: number;
  end_s: number;
  title?: string | null;
}
export interface Title extends TitleCard {
  files: TitleFile[];
  audio_tracks: AudioTrack[];
  subtitles: SubtitleTrack[];
  chapters: Chapter[];
}
export interface HistoryEntry {
  title: TitleCard;
  position_s: number;
  finished: boolean;
  updated_at: string;
}
export interface Capabilities {
  containers?: string[];
  video_codecs?: string[];
  audio_codecs?: string[];
  /** What may arrive in segments. */
  mse?: { video_codecs?: string[] };
  /** It goes on after a seek into H.264 whose groups of pictures are open. */
  open_groups?: boolean;
}
export interface Quality {
  id: string;
  label: string;
  height: number;
  kind: "original" | "rendition" | "live";
  bitrate_bps: number;
  /** The player changes to it by itself, without another play. */
  in_playlist: boolean;
}
export interface Play {
  play_id: string;
  method: Method;
  url: string;
  mime: string;
  reasons: { code: string; text: string }[];
  /** The one of `qualities` that plays. */
  quality: string;
  qualities: Quality[];
  audio_tracks: AudioTrack[];
  subtitles: SubtitleTrack[];
  chapters: Chapter[];
  /** Small pictures for the seek bar; null while there are none. */
  storyboard_url: string | null;
  /** The next part of the series this belongs to. */
  next: { title_id: string; name: string } | null;
  resume_at_s: number;
  duration_s: number;
}
export type ProgressEvent = "play" | "time" | "pause" | "seek" | "ended" | "close";

export interface AdminUser {
  id: string;
  username: string;
  role: Role;
  disabled: boolean;
  created_at: string;
  last_seen_at?: string | null;
  libraries: string[];
  online: boolean;
}
export interface Invite {
  id: string;
  libraries: string[];
  created_at: string;
  expires_at: string;
  used_at?: string | null;
}
export interface NewInvite {
  id: string;
  token: string;
  url: string;
  /** At each address where others reach this Loge, the best first. */
  urls: string[];
  expires_at: string;
}
export interface Session {
  id: string;
  user_id: string;
  username: string;
  device?: string | null;
  address?: string | null;
  created_at: string;
  last_seen_at: string;
}
export interface Stream {
  play_id: string;
  user_id: string;
  username: string;
  title_id: string;
  title_name: string;
  poster_url?: string | null;
  method: Method;
  /** `original`, or the lines of what plays instead. */
  quality: string;
  reasons: { code: string; text: string }[];
  started_at: string;
  position_s: number;
  duration_s: number;
  bytes_sent: number;
  rate_bps: number;
  address: string;
  paused: boolean;
}
export interface Limits {
  memory_bytes: number;
  cpus: number;
  pids: number;
}
export interface Usage {
  cpu_percent: number;
  cpu_of_quota_percent: number;
  memory_bytes: number;
  pids: number;
}
export interface Container {
  user_id: string;
  username: string;
  runtime: "docker" | "process";
  state: "absent" | "starting" | "ready" | "stopping" | "failed";
  health: "healthy" | "unhealthy" | "unknown";
  container_id?: string | null;
  image: string;
  limits: Limits;
  usage: Usage | null;
  started_at?: string | null;
  restarts: number;
  reason?: string | null;
  isolation: string[];
  /** Open: it failed too often and is tried only now and then. */
  circuit: "closed" | "open" | "half_open";
  throttled_percent?: number | null;
  memory_percent?: number | null;
  oom_count: number;
  lent_cpus: number;
  uptime_s?: number | null;
  image_version?: string | null;
  image_digest?: string | null;
}
export interface Runtime {
  kind: "docker" | "process";
  wanted: "auto" | "docker" | "process";
  detail: string;
  version?: string | null;
  /** Full: every wall that must stand does; others may be missing. */
  level: "full" | "reduced" | "unknown";
  /** Walls that must stand and do not. */
  missing: string[];
  /** They are missing and the owner does not allow that: no container starts. */
  is_refused: boolean;
  isolation: { name: string; label: string; reached: boolean; detail: string }[];
  /** Whether processor time that some leave unused is lent to others. */
  lends_cpu: boolean;
  advice?: string | null;
}
export interface UsePoint {
  at: string;
  /** Of one core. */
  cpu_percent: number;
  memory_bytes: number;
}
export interface UseHistory {
  step_s: number;
  points: UsePoint[];
}
export interface WorkerImage {
  /** The digest of its content. */
  id: string;
  names: string[];
  version?: string | null;
  made_at: string;
  size_bytes: number;
  /** New containers are made of it. */
  is_used: boolean;
  /** It came with this server. */
  is_own: boolean;
}
/** A file that ended two containers and is not opened any more. */
export interface SetAside {
  file_id: string;
  title_id: string;
  title_name: string;
  path: string;
  size_bytes: number;
}
export interface Vitals {
  at: string;
  cpu_percent: number;
  cpus: number[];
  load1: number;
  memory: { total_bytes: number; used_bytes: number; available_bytes: number };
  temperature: { celsius?: number | null; hot_celsius: number; state: "ok" | "hot" | "no_sensor" };
  disks: { mount: string; total_bytes: number; free_bytes: number; role: "data" | "library"; days_to_full?: number | null }[];
  network: { rx_bps: number; tx_bps: number; link_bps?: number | null; busy_from_bps?: number | null };
  server: { rss_bytes: number; cpu_percent: number; uptime_s: number; open_fds: number };
  viewers: { now: number; max: number };
  loges: { user_id: string; cpu_percent: number; memory_bytes: number }[];
  sentence: { level: "good" | "attention" | "trouble"; text: string; href?: string | null };
}
export interface VitalsPoint {
  at: string;
  cpu_percent: number;
  memory_bytes: number;
  temperature_c?: number | null;
  net_rx_bps: number;
  net_tx_bps: number;
  disk_free_bytes: number;
}
export interface VitalsReply {
  now: Vitals;
  history: { step_s: number; points: VitalsPoint[] };
}
export interface Job {
  id: string;
  kind: "scan" | "posters";
  library_id?: string | null;
  name: string;
  state: "queued" | "running" | "paused" | "done" | "failed" | "cancelled";
  progress: number;
  done: number;
  total: number;
  rate?: number | null;
  eta_s?: number | null;
  current?: string | null;
  error?: string | null;
  /** What the owner should know although it went well. */
  note?: string | null;
  created_at: string;
  started_at?: string | null;
  finished_at?: string | null;
}
export type RenditionState = "queued" | "running" | "paused" | "done" | "failed";
export interface Rendition {
  id: string;
  title_id: string;
  title_name: string;
  quality: string;
  state: RenditionState;
  progress: number;
  size_bytes: number;
  eta_s: number | null;
  reason: string | null;
  by_house: boolean;
}
export interface RenditionBrief {
  quality: string;
  state: RenditionState;
  progress: number;
  eta_s: number | null;
  reason: string | null;
}
export interface Playing {
  verdict: Playability;
  method: Method | null;
  reasons: { code: string; text: string }[];
  files: { file_id: string; verdict: Playability; reasons: { code: string; text: string }[] }[];
  renditions: RenditionBrief[];
}
export interface NightShift {
  enabled: boolean;
  from: string;
  to: string;
  cap_bytes: number;
  used_bytes: number;
  state: "off" | "waiting" | "working" | "held" | "done" | "no_room";
  state_text: string;
}
export interface Backup {
  name: string;
  kind: "scheduled" | "by_hand" | "before_upgrade";
  made_at: string;
  size_bytes: number;
  proven: boolean;
  here: boolean;
  places: string[];
}
export interface BackupPlace {
  id: string;
  path: string;
  waiting: number;
  free_bytes?: number;
  problem?: string;
}
export interface Backups {
  work: "idle" | "backing_up" | "copying" | "proving";
  possible: boolean;
  enabled: boolean;
  at: string;
  next_at?: string;
  folder: string;
  key_sealed: boolean;
  items: Backup[];
  places: BackupPlace[];
  last_try?: { at: string; problem?: string };
  last_proof?: { at: string; backup: string; played?: string; problem?: string };
  proven_at?: string;
}
export interface CacheShare {
  user_id: string;
  username: string;
  used_bytes: number;
}
export interface SegmentCache {
  used_bytes: number;
  total_bytes: number;
  each_bytes: number;
  segments: number;
  people: CacheShare[];
  state: "keeping" | "off" | "full" | "read_only" | "missing" | "failing" | "slow";
  state_text: string;
  served: number;
}
export interface EncodeSpeed {
  quality: string;
  x: number;
  at_once: number;
}
export interface Capacity {
  calibrated_at: string | null;
  running: boolean;
  problem: string | null;
  cores: number;
  memory_bytes: number | null;
  link_bps: number | null;
  disk_mbps: number | null;
  remux_x: number | null;
  encode: EncodeSpeed[];
  tone_map: boolean | null;
  live_millis: number;
  max_live: number | null;
  chip: GraphicsChip;
}
export interface ChipSpeed {
  quality: string;
  x: number;
  cpu_millis: number | null;
}
/** Live encodes by the graphics chip: what was found, and what its test said. */
export interface GraphicsChip {
  state: "off" | "absent" | "untested" | "failed" | "works";
  found: boolean;
  reason: string | null;
  driver: string | null;
  at_once: number;
  encode: ChipSpeed[];
}
export interface Alert {
  id: string;
  level: "attention" | "trouble";
  code: string;
  text: string;
  since: string;
  href?: string | null;
}
export interface AuditEntry {
  id: string;
  at: string;
  actor: string;
  actor_name?: string | null;
  action: string;
  target?: string | null;
  target_name?: string | null;
  result: string;
  address?: string | null;
}
export type LogLine = Record<string, unknown>;
/** What is written into the logs. */
export interface LogSettings {
  level: string;
  requests: boolean;
}
export interface Settings {
  server_name: string;
  max_viewers: number;
  idle_stop_minutes: number;
  scan_on_start: boolean;
  max_streams_per_person: number;
  per_user_rate_bps: number | null;
  total_rate_bps: number | null;
  total_rate_now_bps: number | null;
  allow_reduced_isolation: boolean;
  cache_each_bytes: number;
  cache_total_bytes: number;
  hardware_encoding: boolean;
}

/** Under which names and addresses this Loge is reached. */
export interface Names {
  allowed: string[];
  configured: string[];
  trusted_proxies: string[];
  configured_proxies: string[];
  /** A machine that says it asks for others, and is not trusted. */
  unknown_proxy?: string | null;
  public_url?: string | null;
  configured_url?: string | null;
  addresses: string[];
}

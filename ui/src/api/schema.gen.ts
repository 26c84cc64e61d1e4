// Made by scripts/api.mjs from openapi.json.
export interface AlertView {
  code: string;
  href?: string | null;
  id: string;
  /** `attention` or `trouble`. */
  level: string;
  since: string;
  text: string;
}
export interface AudioTrack {
  channels: number;
  codec: string;
  /** Marked so in the film. */
  default: boolean;
  index: number;
  /** For people: "Deutsch · 5.1". */
  label: string;
  language?: string | null;
  /** What plays, or would. */
  selected: boolean;
  title?: string | null;
}
export interface AuditView {
  action: string;
  /** As it was written: a name, the id of a person, or `anonymous`, `host` or `house`. */
  actor: string;
  /** What the actor is called today; absent where that is not known. */
  actor_name?: string | null;
  address?: string | null;
  at: string;
  id: string;
  result: string;
  /** As it was written; ids stay ids. */
  target?: string | null;
  /** The same with names where there are ids; absent where nothing is left to say. */
  target_name?: string | null;
}
export interface Backup {
  /** In the house's own folder. */
  here: boolean;
  /** `scheduled`, `by_hand` or `before_upgrade`. */
  kind: string;
  made_at: string;
  name: string;
  /** Ids of the places that have a copy. */
  places: string[];
  proven: boolean;
  /** 0 for one that is at other places alone. */
  size_bytes: number;
}
export interface BackupPlace {
  free_bytes?: number | null;
  id: string;
  path: string;
  /** What is in the way, in a sentence. */
  problem?: string | null;
  /** Backups that wait to be copied there. */
  waiting: number;
}
export interface BackupProof {
  at: string;
  backup: string;
  /** The film that played. */
  played?: string | null;
  /** Why it does not count, in a sentence. */
  problem?: string | null;
}
export interface BackupTry {
  at: string;
  /** Why it was not made, in a sentence. */
  problem?: string | null;
}
export interface Backups {
  /** A time of day by the clock of the machine: `03:30`. */
  at: string;
  enabled: boolean;
  /** Where the house itself keeps them. */
  folder: string;
  /** Newest first. */
  items: Backup[];
  /** Whether new backups seal the key of the house. */
  key_sealed: boolean;
  last_proof?: BackupProof | null;
  last_try?: BackupTry | null;
  next_at?: string | null;
  places: BackupPlace[];
  /** False where the database is PostgreSQL, which brings its own tools. */
  possible: boolean;
  /** When a backup was last proven. */
  proven_at?: string | null;
  /** `idle`, `backing_up`, `copying` or `proving`. */
  work: string;
}
export interface BrowserAsk {
  capabilities: CapabilitiesForm;
  /** At most 100. */
  titles: string[];
}
export interface BrowserVerdict {
  /** `direct`, `remux`, `rendition` or `transcode`; nothing where it would be refused. */
  method?: string | null;
  title_id: string;
}
export interface CacheShare {
  used_bytes: number;
  user_id: string;
  username: string;
}
export interface CapabilitiesForm {
  audio_codecs?: string[] | null;
  /** `mp4`, `m4v`, `mov`, `mkv`, `webm`, `avi`. */
  containers?: string[] | null;
  /** One of `/devices`, for callers that cannot measure; what else is said here goes before it. */
  device?: string | null;
  downlink_kbps?: number | null;
  /** Lines of the largest picture that makes sense. */
  max_height?: number | null;
  mse?: SegmentsForm | null;
  /** It goes on after a seek into H.264 whose groups of pictures are open. */
  open_groups?: boolean;
  /** Codecs that are smooth in 10 bit too. */
  ten_bit?: string[] | null;
  video_codecs?: string[] | null;
}
/** Everything measured is null or empty before the first calibration. */
export interface Capacity {
  calibrated_at?: string | null;
  chip: GraphicsChip;
  cores: number;
  /** Of the disk of a library, in megabytes per second. */
  disk_mbps?: number | null;
  encode: EncodeSpeed[];
  /** Bits per second; null where the link does not say. */
  link_bps?: number | null;
  /** Thousandths of a core that live encodes may use together. */
  live_millis: number;
  /** Encodes to 480 lines of a 1080p film at once; null before the first calibration. */
  max_live?: number | null;
  memory_bytes?: number | null;
  /** Why the last calibration came to nothing. */
  problem?: string | null;
  /** How many times faster than the film one core wraps it anew. */
  remux_x?: number | null;
  /** It is being measured now. */
  running: boolean;
  /** Whether the brightness of HDR can be brought down while somebody watches. */
  tone_map?: boolean | null;
}
/** A named part of a film. */
export interface ChapterView {
  end_s: number;
  start_s: number;
  /** Its number where the film does not name it. */
  title?: string | null;
}
/** Of an H.264 film of 1920 × 1080 at 25 frames a second. */
export interface ChipSpeed {
  /** Thousandths of a core beside it; null where the chip does not decode. */
  cpu_millis?: number | null;
  /** `480p` */
  quality: string;
  /** How many times faster than the film the chip makes it. */
  x: number;
}
export interface Container {
  /** `closed`; `open` after many failures, when it is tried only now and then; `half_open` while such a try has to prove itself. */
  circuit: string;
  container_id?: string | null;
  /** `healthy`, `unhealthy` or `unknown`. */
  health: string;
  image: string;
  /** The image's content, where the runtime has images. */
  image_digest?: string | null;
  /** What the worker says about itself. */
  image_version?: string | null;
  /** Walls that stand, in words. */
  isolation: string[];
  /** Cores on top of the limits, for the moment. */
  lent_cpus: number;
  limits: Limits;
  /** Of the memory limit. */
  memory_percent?: number | null;
  /** Ends by the memory limit since the server started. */
  oom_count: number;
  reason?: string | null;
  restarts: number;
  /** `docker` or `process`. */
  runtime: string;
  started_at?: string | null;
  /** `absent`, `starting`, `ready`, `stopping` or `failed`. */
  state: string;
  /** Share of the time slices in which it wanted more CPU than it may have. */
  throttled_percent?: number | null;
  uptime_s?: number | null;
  usage?: Usage | null;
  /** `house` for the server's own. */
  user_id: string;
  username: string;
}
export interface DeviceView {
  audio_codecs: string[];
  containers: string[];
  id: string;
  max_height?: number | null;
  name: string;
  video_codecs: string[];
}
export interface Disk {
  /** Days until it is full at the pace of the last day: of the data disk, while it is filling up, and once there is a day to go by. */
  days_to_full?: number | null;
  free_bytes: number;
  mount: string;
  /** `data` or `library`. */
  role: string;
  total_bytes: number;
}
/** Of an H.264 film of 1920 × 1080 at 25 frames a second. */
export interface EncodeSpeed {
  at_once: number;
  /** `480p` */
  quality: string;
  /** How many times faster than the film one core makes it. */
  x: number;
}
/** What is wrong with one field. */
export interface FieldProblem {
  field: string;
  message: string;
}
export interface FilePlayability {
  file_id: string;
  reasons: ReasonView[];
  /** `direct`, `remux`, `needs_preparing`, `broken` or `unknown`. */
  verdict: string;
}
export interface FileView {
  audio_codec?: string | null;
  /** Bits per second. */
  bitrate?: number | null;
  container?: string | null;
  defect?: string | null;
  /** What the defect means, and what helps. */
  defect_text?: string | null;
  duration_s?: number | null;
  height?: number | null;
  id: string;
  missing: boolean;
  /** For the owner only. */
  path?: string | null;
  playability: string;
  size_bytes: number;
  video_codec?: string | null;
  /** As it is seen, in square pixels. */
  width?: number | null;
}
export interface FolderCheck {
  blocked_by?: string | null;
  /** There may be more; counting stopped at its time limit. */
  counting: boolean;
  exists: boolean;
  /** A command that opens the way. */
  fix?: string | null;
  is_directory: boolean;
  path: string;
  /** By the user inside a loge. */
  readable: boolean;
  videos_found: number;
  warning?: string | null;
}
export interface FolderEntry {
  name: string;
  path: string;
  readable: boolean;
}
export interface FolderForm {
  path: string;
}
export interface FolderList {
  entries: FolderEntry[];
  parent?: string | null;
  path: string;
}
export interface FolderView {
  /** The same in words, with what helps. */
  advice?: string | null;
  /** The owner can say that what is there now is right. */
  can_be_confirmed: boolean;
  id: string;
  /** Symbolic links that were left out. */
  links: number;
  path: string;
  /** Why it is not online: `gone`, `not_mounted`, `another_disk`, `hanging` or `refused`. */
  problem?: string | null;
  /** `online`, `offline` or `unreadable`. */
  state: string;
  /** Folders below that could not be read at the last scan, the first of them by name. */
  unread: string[];
  unread_total: number;
}
export interface Grants {
  libraries: string[];
}
/** The graphics chip: what was found, and what its self-test said. */
export interface GraphicsChip {
  /** Films at once. */
  at_once: number;
  /** Name of the driver it works with. */
  driver?: string | null;
  /** Pictures that passed. */
  encode: ChipSpeed[];
  /** Whether this machine has one, or seems to, wanted or not. */
  found: boolean;
  /** Why it failed. */
  reason?: string | null;
  /** `off`, `absent`, `untested`, `failed` or `works`. */
  state: string;
}
export interface History {
  points: Point[];
  step_s: number;
}
export interface HistoryItem {
  finished: boolean;
  position_s: number;
  title: TitleCard;
  updated_at: string;
}
export interface ImageView {
  /** The digest of its content. */
  id: string;
  /** It came with this server. */
  is_own: boolean;
  /** New containers are made of it. */
  is_used: boolean;
  made_at: string;
  names: string[];
  size_bytes: number;
  /** Its tag, where that says one. */
  version?: string | null;
}
export interface ImportForm {
  /** An absolute path on the machine the server runs on. */
  path: string;
}
export interface Imported {
  id: string;
}
export interface InviteForm {
  invite: string;
}
export interface InviteMade {
  expires_at: string;
  id: string;
  /** Shown once. */
  token: string;
  /** The first of `urls`; where there is none, the address of the owner's own page. */
  url: string;
  /** The invitation at each address where others in the network reach this house, the best first. Empty where it listens on its own machine alone: other devices cannot open it then. */
  urls: string[];
}
export interface InviteView {
  created_at: string;
  expires_at: string;
  id: string;
  libraries: string[];
  used_at?: string | null;
}
export interface Job {
  created_at: string;
  current?: string | null;
  done: number;
  error?: string | null;
  eta_s?: number | null;
  finished_at?: string | null;
  id: string;
  /** `scan` or `posters`. */
  kind: string;
  library_id?: string | null;
  name: string;
  /** What the owner should know although it went well. */
  note?: string | null;
  /** 0 to 1. */
  progress: number;
  /** Items a second. */
  rate?: number | null;
  started_at?: string | null;
  /** `queued`, `running`, `paused`, `done`, `failed` or `cancelled`. */
  state: string;
  total: number;
}
export interface JobStarted {
  job_id: string;
}
export interface Library {
  /** For the owner only. */
  folders?: FolderView[] | null;
  id: string;
  /** `movies`, `shows` or `home`. */
  kind: string;
  last_scan_at?: string | null;
  name: string;
  /** `ready`, `scanning` or `offline`. */
  state: string;
  title_count: number;
}
export interface LibraryChange {
  folders?: string[] | null;
  name?: string | null;
}
export interface Limits {
  /** Cores. */
  cpus: number;
  memory_bytes: number;
  pids: number;
}
export interface LimitsForm {
  cpus?: number | null;
  memory_bytes?: number | null;
  pids?: number | null;
}
/** Every list. */
export interface List_AlertView {
  items: ({ code: string; href?: string | null; id: string; level: string; since: string; text: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_AuditView {
  items: ({ action: string; actor: string; actor_name?: string | null; address?: string | null; at: string; id: string; result: string; target?: string | null; target_name?: string | null })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_BrowserVerdict {
  items: ({ method?: string | null; title_id: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_Container {
  items: ({ circuit: string; container_id?: string | null; health: string; image: string; image_digest?: string | null; image_version?: string | null; isolation: string[]; lent_cpus: number; limits: Limits; memory_percent?: number | null; oom_count: number; reason?: string | null; restarts: number; runtime: string; started_at?: string | null; state: string; throttled_percent?: number | null; uptime_s?: number | null; usage?: Usage | null; user_id: string; username: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_DeviceView {
  items: ({ audio_codecs: string[]; containers: string[]; id: string; max_height?: number | null; name: string; video_codecs: string[] })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_HistoryItem {
  items: ({ finished: boolean; position_s: number; title: TitleCard; updated_at: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_ImageView {
  items: ({ id: string; is_own: boolean; is_used: boolean; made_at: string; names: string[]; size_bytes: number; version?: string | null })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_InviteView {
  items: ({ created_at: string; expires_at: string; id: string; libraries: string[]; used_at?: string | null })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_Job {
  items: ({ created_at: string; current?: string | null; done: number; error?: string | null; eta_s?: number | null; finished_at?: string | null; id: string; kind: string; library_id?: string | null; name: string; note?: string | null; progress: number; rate?: number | null; started_at?: string | null; state: string; total: number })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_Library {
  items: ({ folders?: FolderView[] | null; id: string; kind: string; last_scan_at?: string | null; name: string; state: string; title_count: number })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_OwnSession {
  items: ({ address?: string | null; created_at: string; current: boolean; device?: string | null; id: string; last_seen_at: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_Rendition {
  items: ({ by_house: boolean; eta_s?: number | null; id: string; progress: number; quality: string; reason?: string | null; size_bytes: number; state: string; title_id: string; title_name: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_SessionView {
  items: ({ address?: string | null; created_at: string; device?: string | null; id: string; last_seen_at: string; user_id: string; username: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_SetAside {
  items: ({ file_id: string; path: string; size_bytes: number; title_id: string; title_name: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_StreamView {
  items: ({ address: string; bytes_sent: number; duration_s: number; method: string; paused: boolean; play_id: string; position_s: number; poster_url?: string | null; quality: string; rate_bps: number; reasons: ReasonView[]; started_at: string; title_id: string; title_name: string; user_id: string; username: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_TitleCard {
  items: ({ added_at: string; audio_codec?: string | null; container: string; duration_s: number; height: number; id: string; library_id: string; missing: boolean; name: string; playability: string; poster_url?: string | null; progress?: ProgressView | null; size_bytes: number; video_codec?: string | null; width: number; year?: number | null })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
/** Every list. */
export interface List_User {
  items: ({ created_at: string; disabled: boolean; id: string; last_seen_at?: string | null; libraries: string[]; online: boolean; role: string; username: string })[];
  /** Ask again with `cursor` set to this for what comes next. */
  next_cursor?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
}
export interface LogLines {
  /** As written: `timestamp`, `level`, `message` and what belongs to it. */
  lines: (Record<string, unknown>)[];
}
export interface LogSettings {
  /** What is written into the server's log: lines of this level and worse. `error`, `warn`, `info` or `debug`. */
  level: string;
  /** Whether a line is written for each request: when, what, by whom, with which result. No addresses, no tickets. */
  requests: boolean;
}
export interface LogText {
  lines: string[];
}
export interface LogeUse {
  cpu_percent: number;
  memory_bytes: number;
  user_id: string;
}
/** The answer to every way of signing in. The refresh token is in a cookie. */
export interface Login {
  access_token: string;
  /** Seconds. */
  expires_in: number;
  user: UserBrief;
}
/** Either name and password, or a ticket. */
export interface LoginForm {
  device?: string | null;
  password?: string | null;
  /** Works once, for a minute, and instead of all others. The desktop gets one for its window. */
  ticket?: string | null;
  username?: string | null;
}
export interface Me {
  id: string;
  role: string;
  session_id: string;
  username: string;
}
export interface Memory {
  available_bytes: number;
  total_bytes: number;
  used_bytes: number;
}
export interface MessageForm {
  text: string;
}
export interface Names {
  /** Where others in the network reach this house, the best first. Empty where it listens on its own machine alone. */
  addresses: string[];
  /** Public names and addresses that the owner allows. Names that only a private network knows (`nas.lan`, `nas.local`, `nas.fritz.box`) work without being here. */
  allowed: string[];
  /** Those of `loge.toml` or the environment, which only these can change. */
  configured: string[];
  /** Those of `loge.toml` or the environment. */
  configured_proxies: string[];
  /** Where it comes from the configuration. */
  configured_url?: string | null;
  /** What stands in links to this house. */
  public_url?: string | null;
  /** Addresses and networks of reverse proxies that the owner trusts to say who asks. */
  trusted_proxies: string[];
  /** A machine of a private network that says it asks for others, and is not trusted. */
  unknown_proxy?: string | null;
}
export interface NamesForm {
  /** Addresses of pages are understood too: `https://films.example.org/` is `films.example.org`. */
  allowed?: string[] | null;
  /** `https://films.example.org`; an empty text takes it away. */
  public_url?: string | null;
  /** Addresses (`10.0.0.2`) and networks (`172.18.0.0/16`). */
  trusted_proxies?: string[] | null;
}
export interface Network {
  /** From here on the link is busy. */
  busy_from_bps?: number | null;
  link_bps?: number | null;
  /** Bits per second, like the next two. */
  rx_bps: number;
  tx_bps: number;
}
export interface NewInvite {
  /** A week unless said; 90 days at most. */
  expires_in_s?: number | null;
  libraries: string[];
}
export interface NewLibrary {
  /** Absolute paths. */
  folders: string[];
  /** `movies`, `shows` or `home`. */
  kind: string;
  name: string;
}
export interface NewUserForm {
  libraries?: string[] | null;
  password: string;
  /** `admin` or `viewer`. */
  role: string;
  username: string;
}
export interface NextView {
  name: string;
  title_id: string;
}
export interface NightShift {
  /** For prepared versions in all, whoever asked for them. */
  cap_bytes: number;
  enabled: boolean;
  /** `01:00`, in the machine's own time. */
  from: string;
  /** `off`, `waiting`, `working`, `held`, `done` or `no_room`. */
  state: string;
  state_text: string;
  to: string;
  used_bytes: number;
}
export interface OwnSession {
  address?: string | null;
  created_at: string;
  /** The one this call was made with. */
  current: boolean;
  device?: string | null;
  id: string;
  last_seen_at: string;
}
export interface PasswordForm {
  current: string;
  new: string;
}
export interface PlaceForm {
  /** A folder that is there, best on another disk. */
  path: string;
}
export interface PlanForm {
  /** A time of day by the clock of the machine: `03:30`. */
  at?: string | null;
  enabled?: boolean | null;
}
export interface PlayForm {
  audio_track?: number | null;
  capabilities?: CapabilitiesForm | null;
  /** `direct`, `remux`: ways that this browser has tried for this title, without getting a picture. */
  failed?: string[] | null;
  /** `auto`, `original`, or lines: `720p`, `480p`… */
  quality?: string | null;
  /** The play that this page had before, which is over. Without it, an earlier one of the same title and sign-in is. */
  replaces?: string | null;
}
export interface PlayStarted {
  audio_tracks: AudioTrack[];
  /** In the order of the film. */
  chapters: ChapterView[];
  duration_s: number;
  /** `direct`, `remux`, `rendition` or `transcode`. */
  method: string;
  mime: string;
  next?: NextView | null;
  play_id: string;
  qualities: QualityView[];
  /** The one of `qualities` that plays. */
  quality: string;
  reasons: ReasonView[];
  resume_at_s: number;
  /** Small pictures for whoever drags along the film, as WebVTT; nothing while there are none. */
  storyboard_url?: string | null;
  subtitles: SubtitleTrack[];
  url: string;
}
export interface PlayabilityView {
  files: FilePlayability[];
  /** How an ordinary browser would get it; nothing where it would be refused. */
  method?: string | null;
  reasons: ReasonView[];
  /** Versions made ahead of time, wanted or there. */
  renditions: RenditionBrief[];
  /** Of the best file. */
  verdict: string;
}
export interface Point {
  at: string;
  cpu_percent: number;
  disk_free_bytes: number;
  memory_bytes: number;
  net_rx_bps: number;
  net_tx_bps: number;
  temperature_c?: number | null;
}
export interface PreferencesForm {
  /** Likewise. */
  audio_language?: string | null;
  autoplay_next?: boolean | null;
  /** A language tag; an empty text takes it away. */
  language?: string | null;
  /** `system`, `dark` or `light`. */
  theme?: string | null;
}
export interface PreferencesView {
  /** Sound in this language where the film has it; nothing leaves it to the film. */
  audio_language?: string | null;
  autoplay_next: boolean;
  /** Subtitles in this language where the sound speaks another one; nothing leaves it to the film. */
  language?: string | null;
  /** `system`, `dark` or `light`. */
  theme: string;
}
export interface PrepareForm {
  /** `720p` or `480p`; the largest that makes sense unless said. */
  quality?: string | null;
}
export interface Prepared {
  job_id: string;
}
/** Where the preparing of a film is that needs it. */
export interface Preparing {
  eta_s?: number | null;
  /** 1 is the next. */
  position?: number | null;
  /** `none` while nobody asked for it, `queued`, `running` or `paused`. */
  state: string;
}
/** The body of every answer that is not a success. */
export interface Problem {
  /** For programs: one of a closed list. */
  code: string;
  /** For people. */
  detail: string;
  fields?: FieldProblem[];
  preparing?: Preparing | null;
  request_id: string;
  retry_after_ms?: number | null;
  status: number;
  title: string;
  type: string;
}
export interface ProgressForm {
  /** `play`, `time`, `pause`, `seek`, `ended` or `close`. */
  event: string;
  play_id?: string | null;
  position_s: number;
}
export interface ProgressView {
  finished: boolean;
  position_s: number;
}
export interface QualityView {
  /** On average, as far as it is known before it plays. */
  bitrate_bps: number;
  height: number;
  id: string;
  /** Among what the playlist at `url` offers: a player changes to it by itself. */
  in_playlist: boolean;
  /** `original`, `rendition` or `live`. */
  kind: string;
  label: string;
}
/** One line of the receipt. */
export interface ReasonView {
  code: string;
  text: string;
}
export interface RegisterForm {
  device?: string | null;
  invite: string;
  password: string;
  username: string;
}
export interface Rendition {
  /** The house picked it by itself. */
  by_house: boolean;
  eta_s?: number | null;
  id: string;
  /** 0 to 1. */
  progress: number;
  /** `720p`… */
  quality: string;
  /** Why it failed or does not go on. */
  reason?: string | null;
  size_bytes: number;
  /** `queued`, `running`, `paused`, `done` or `failed`. */
  state: string;
  title_id: string;
  title_name: string;
}
export interface RenditionBrief {
  eta_s?: number | null;
  /** 0 to 1. */
  progress: number;
  /** `720p`… */
  quality: string;
  /** Why it failed or does not go on. */
  reason?: string | null;
  /** `queued`, `running`, `paused`, `done` or `failed`. */
  state: string;
}
export interface Runtime {
  advice?: string | null;
  detail: string;
  /** They are missing and the owner does not allow that: no container starts. */
  is_refused: boolean;
  isolation: Wall[];
  /** `docker` or `process`. */
  kind: string;
  /** Whether processor time that some containers leave unused is lent to those that need more. Not where the limits of one that runs cannot be changed. */
  lends_cpu: boolean;
  /** `full`, `reduced` or `unknown` (nothing has been started yet). */
  level: string;
  /** Walls that must stand and do not, in words. */
  missing: string[];
  version?: string | null;
  /** `auto`, `docker` or `process`. */
  wanted: string;
}
export interface SegmentCache {
  /** For one person. */
  each_bytes: number;
  /** Largest first. */
  people: CacheShare[];
  segments: number;
  /** Segments served from the cache since the server started. */
  served: number;
  /** `keeping`, `off`, or why nothing is kept: `full`, `read_only`, `missing`, `failing`, `slow`. */
  state: string;
  state_text: string;
  /** For everyone together; 0 keeps nothing. */
  total_bytes: number;
  used_bytes: number;
}
export interface SegmentsForm {
  audio_codecs?: string[] | null;
  video_codecs?: string[] | null;
}
export interface SentenceView {
  href?: string | null;
  /** `good`, `attention` or `trouble`. */
  level: string;
  text: string;
}
export interface ServerInfo {
  name: string;
  /** No owner yet: the first-run pages are shown. */
  setup_required: boolean;
  /** Only for people who are signed in. */
  version?: string | null;
}
export interface ServerUse {
  /** Of one core. */
  cpu_percent: number;
  open_fds: number;
  rss_bytes: number;
  uptime_s: number;
}
export interface SessionView {
  address?: string | null;
  created_at: string;
  device?: string | null;
  id: string;
  last_seen_at: string;
  user_id: string;
  username: string;
}
export interface SetAside {
  file_id: string;
  /** Below its folder; bytes that are no text are replaced. */
  path: string;
  size_bytes: number;
  title_id: string;
  title_name: string;
}
export interface Settings {
  /** Containers may run where this machine lacks walls that must stand. */
  allow_reduced_isolation: boolean;
  /** Bytes of encoded segments that may be kept for one person. */
  cache_each_bytes: number;
  /** For everyone together; 0 keeps nothing. */
  cache_total_bytes: number;
  /** Live encodes by the graphics chip, which every container is given for that. */
  hardware_encoding: boolean;
  idle_stop_minutes: number;
  /** Films one person may watch at once. */
  max_streams_per_person: number;
  max_viewers: number;
  /** Bytes per second for each person; null is no limit. */
  per_user_rate_bps?: number | null;
  scan_on_start: boolean;
  server_name: string;
  /** Bytes per second for all together; null leaves it to the link. */
  total_rate_bps?: number | null;
  /** What all together may have now: what was set, or four fifths of the link. Null where the link does not say how fast it is: then nothing is held back. */
  total_rate_now_bps?: number | null;
}
export interface SettingsChange {
  /** Acts at once: on the containers that run, and on those that were refused. */
  allow_reduced_isolation?: boolean | null;
  cache_each_bytes?: number | null;
  cache_total_bytes?: number | null;
  /** Switched on, it is tested at once where nobody watches. */
  hardware_encoding?: boolean | null;
  idle_stop_minutes?: number | null;
  max_streams_per_person?: number | null;
  max_viewers?: number | null;
  /** Bytes per second; null takes the limit away. */
  per_user_rate_bps?: number | null;
  scan_on_start?: boolean | null;
  server_name?: string | null;
  /** Bytes per second; null leaves it to the link. */
  total_rate_bps?: number | null;
}
export interface SetupForm {
  /** Shown on the desktop or in the terminal of the server. */
  code: string;
  device?: string | null;
  password: string;
  server_name?: string | null;
  username: string;
}
export interface ShiftForm {
  cap_bytes?: number | null;
  enabled?: boolean | null;
  /** `01:00`; may be later than `to`. */
  from?: string | null;
  to?: string | null;
}
export interface Status {
  status: string;
}
export interface StreamView {
  address: string;
  bytes_sent: number;
  duration_s: number;
  method: string;
  paused: boolean;
  play_id: string;
  position_s: number;
  poster_url?: string | null;
  /** `original`, or the lines of what plays instead: `480p`. */
  quality: string;
  /** Bytes per second. */
  rate_bps: number;
  reasons: ReasonView[];
  started_at: string;
  title_id: string;
  title_name: string;
  user_id: string;
  username: string;
}
export interface SubtitleTrack {
  codec: string;
  /** Shown unless somebody chooses otherwise. */
  default: boolean;
  forced: boolean;
  /** Names it; not its place in this list. */
  index: number;
  /** For people: "Deutsch (forced)". No two in a list are the same. */
  label: string;
  /** A language tag (BCP 47): `de`, `pt-BR`, `zh-Hans`. */
  language?: string | null;
  /** Why it cannot be shown. */
  note?: string | null;
  /** WebVTT. Nothing outside a play, and for what cannot be shown. */
  url?: string | null;
}
export interface Temperature {
  celsius?: number | null;
  /** From here on the state is `hot`, and preparing waits. */
  hot_celsius: number;
  /** `ok`, `hot` or `no_sensor`. */
  state: string;
}
/** One title in a grid. */
export interface TitleCard {
  added_at: string;
  audio_codec?: string | null;
  container: string;
  duration_s: number;
  height: number;
  id: string;
  library_id: string;
  missing: boolean;
  name: string;
  /** `direct`, `remux`, `needs_preparing`, `broken` or `unknown`. */
  playability: string;
  poster_url?: string | null;
  progress?: ProgressView | null;
  size_bytes: number;
  video_codec?: string | null;
  /** As it is seen, in square pixels. */
  width: number;
  year?: number | null;
}
export type TitleDetail = TitleCard & { audio_tracks: AudioTrack[]; chapters: ChapterView[]; files: FileView[]; subtitles: SubtitleTrack[] };
export interface Usage {
  /** Of what this container may take. */
  cpu_of_quota_percent: number;
  /** Of one core. */
  cpu_percent: number;
  memory_bytes: number;
  pids: number;
}
export interface UseHistory {
  points: UsePoint[];
  step_s: number;
}
export interface UsePoint {
  at: string;
  /** Of one core. */
  cpu_percent: number;
  memory_bytes: number;
}
export interface User {
  created_at: string;
  disabled: boolean;
  id: string;
  last_seen_at?: string | null;
  /** Ids of the libraries a viewer was granted; the owner sees all anyway. */
  libraries: string[];
  online: boolean;
  role: string;
  username: string;
}
export interface UserBrief {
  id: string;
  /** `admin` or `viewer`. */
  role: string;
  username: string;
}
export interface UserChange {
  disabled?: boolean | null;
  password?: string | null;
  role?: string | null;
}
export interface Viewers {
  max: number;
  now: number;
}
export interface Vitals {
  at: string;
  cpu_percent: number;
  cpus: number[];
  disks: Disk[];
  load1: number;
  loges: LogeUse[];
  memory: Memory;
  network: Network;
  sentence: SentenceView;
  server: ServerUse;
  temperature: Temperature;
  viewers: Viewers;
}
export interface VitalsAnswer {
  history: History;
  now: Vitals;
}
export interface Wall {
  detail: string;
  /** The name in words. */
  label: string;
  name: string;
  reached: boolean;
}

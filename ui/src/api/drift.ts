// The shapes pages use (types.ts) against the shapes the server documents (schema.gen.ts). A field that one side has and
// the other has not, that cannot hold what the page expects, or that the server may leave out while the page relies on
// it, does not compile. types.ts only says more: which words a text can be.
import type * as Wire from "./schema.gen";
import type * as Page from "./types";

/** The fields that the server may leave out and the page takes for granted: each is a crash that waits for its file. */
type TakenForGranted<Hand, From> = {
  [K in keyof Hand & keyof From]-?: [Extract<From[K], null | undefined>, Extract<Hand[K], null | undefined>] extends [never, unknown]
    ? never
    : [Extract<Hand[K], null | undefined>] extends [never]
      ? K
      : never;
}[keyof Hand & keyof From];

/** `true`, or the names of the fields that only one side knows. */
type Same<Hand, From> = [Exclude<keyof Hand, keyof From>, Exclude<keyof From, keyof Hand>] extends [never, never]
  ? Hand extends From
    ? [TakenForGranted<Hand, From>] extends [never]
      ? true
      : { takenForGranted: TakenForGranted<Hand, From> }
    : { differs: { [K in keyof Hand & keyof From]: Hand[K] extends From[K] ? never : K }[keyof Hand & keyof From] }
  : { onlyHere: Exclude<keyof Hand, keyof From>; onlyThere: Exclude<keyof From, keyof Hand> };

function holds<_ extends true>() {
  // Nothing happens when the page runs: the compiler has read it.
}

holds<Same<Page.ServerInfo, Wire.ServerInfo>>();
holds<Same<Page.Login, Wire.Login>>();
holds<Same<Page.Me, Wire.Me>>();
holds<Same<Page.Names, Wire.Names>>();
holds<Same<Page.Preferences, Wire.PreferencesView>>();
holds<Same<Page.OwnSession, Wire.OwnSession>>();
holds<Same<Page.Library, Wire.Library>>();
holds<Same<Page.LibraryFolder, Wire.FolderView>>();
holds<Same<Page.FolderCheck, Wire.FolderCheck>>();
holds<Same<Page.FolderEntry, Wire.FolderEntry>>();
holds<Same<Page.FolderList, Wire.FolderList>>();
holds<Same<Page.Progress, Wire.ProgressView>>();
holds<Same<Page.TitleCard, Wire.TitleCard>>();
holds<Same<Page.TitleFile, Wire.FileView>>();
holds<Same<Page.AudioTrack, Wire.AudioTrack>>();
holds<Same<Page.SubtitleTrack, Wire.SubtitleTrack>>();
holds<Same<Page.Title, Wire.TitleDetail>>();
holds<Same<Page.HistoryEntry, Wire.HistoryItem>>();
holds<Same<Page.Play, Wire.PlayStarted>>();
holds<Same<Page.AdminUser, Wire.User>>();
holds<Same<Page.Invite, Wire.InviteView>>();
holds<Same<Page.NewInvite, Wire.InviteMade>>();
holds<Same<Page.Session, Wire.SessionView>>();
holds<Same<Page.Stream, Wire.StreamView>>();
holds<Same<Page.LogSettings, Wire.LogSettings>>();
holds<Same<Page.Limits, Wire.Limits>>();
holds<Same<Page.Usage, Wire.Usage>>();
holds<Same<Page.Container, Wire.Container>>();
holds<Same<Page.Runtime, Wire.Runtime>>();
holds<Same<Page.UsePoint, Wire.UsePoint>>();
holds<Same<Page.UseHistory, Wire.UseHistory>>();
holds<Same<Page.WorkerImage, Wire.ImageView>>();
holds<Same<Page.SetAside, Wire.SetAside>>();
holds<Same<Page.Vitals, Wire.Vitals>>();
holds<Same<Page.VitalsPoint, Wire.Point>>();
holds<Same<Page.VitalsReply, Wire.VitalsAnswer>>();
holds<Same<Page.Job, Wire.Job>>();
holds<Same<Page.Alert, Wire.AlertView>>();
holds<Same<Page.AuditEntry, Wire.AuditView>>();
holds<Same<Page.Settings, Wire.Settings>>();
holds<Same<Page.Rendition, Wire.Rendition>>();
holds<Same<Page.RenditionBrief, Wire.RenditionBrief>>();
holds<Same<Page.Playing, Wire.PlayabilityView>>();
holds<Same<Page.NightShift, Wire.NightShift>>();
holds<Same<Page.Backups, Wire.Backups>>();
holds<Same<Page.Backup, Wire.Backup>>();
holds<Same<Page.BackupPlace, Wire.BackupPlace>>();
holds<Same<Page.SegmentCache, Wire.SegmentCache>>();
holds<Same<Page.CacheShare, Wire.CacheShare>>();
holds<Same<Page.Capacity, Wire.Capacity>>();
holds<Same<Page.GraphicsChip, Wire.GraphicsChip>>();
holds<Same<Page.ChipSpeed, Wire.ChipSpeed>>();

// Full screen and the small picture, under the names that different engines give them.

type Old = { webkitRequestFullscreen?: () => void; webkitEnterFullscreen?: () => void };
type OldDocument = { webkitFullscreenElement?: Element | null; webkitExitFullscreen?: () => void };

export const isFull = (): boolean => Boolean(document.fullscreenElement ?? (document as OldDocument).webkitFullscreenElement);

export async function toggleFull(stage: HTMLElement, video: HTMLVideoElement): Promise<void> {
  if (isFull()) {
    await leaveFull();
    return;
  }
  if (stage.requestFullscreen) await stage.requestFullscreen();
  else if ((stage as Old).webkitRequestFullscreen) (stage as Old).webkitRequestFullscreen?.();
  else (video as Old).webkitEnterFullscreen?.();
}

export async function leaveFull(): Promise<void> {
  if (!isFull()) return;
  if (document.exitFullscreen) await document.exitFullscreen();
  else (document as OldDocument).webkitExitFullscreen?.();
}

export const canPip = (): boolean => Boolean(document.pictureInPictureEnabled);

export async function togglePip(video: HTMLVideoElement): Promise<void> {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await video.requestPictureInPicture();
}

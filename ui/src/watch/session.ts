// What the system shows beside the page: a lock screen, a keyboard's media keys, a headset's button.

export interface Hands {
  toggle: () => void;
  by: (seconds: number) => void;
  seek: (to: number) => void;
}

/** Names the film; gives what takes the name away. */
export function present(title: string, poster: string | null): () => void {
  if (!("mediaSession" in navigator)) return () => {};
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist: "Loge", artwork: poster ? [{ src: poster }] : [] });
  return () => {
    navigator.mediaSession.metadata = null;
  };
}

/** Buttons outside the page act like those in it; gives what lets go of them. */
export function listen(hands: Hands, paused: () => boolean): () => void {
  if (!("mediaSession" in navigator)) return () => {};
  const actions: Partial<Record<MediaSessionAction, MediaSessionActionHandler>> = {
    play: () => paused() && hands.toggle(),
    pause: () => !paused() && hands.toggle(),
    seekbackward: (details) => hands.by(-(details.seekOffset ?? 10)),
    seekforward: (details) => hands.by(details.seekOffset ?? 10),
    seekto: (details) => details.seekTime !== undefined && hands.seek(details.seekTime),
  };
  const set = (name: string, handler: MediaSessionActionHandler | null) => {
    try {
      navigator.mediaSession.setActionHandler(name as MediaSessionAction, handler);
    } catch {
      // An older browser has fewer buttons.
    }
  };
  for (const [name, handler] of Object.entries(actions)) set(name, handler);
  return () => {
    for (const name of Object.keys(actions)) set(name, null);
  };
}

/** Where the film is, so that the system can draw a bar of its own. */
export function tell(position: number, duration: number, speed: number, paused: boolean) {
  if (!("mediaSession" in navigator)) return;
  navigator.mediaSession.playbackState = paused ? "paused" : "playing";
  if (duration > 0 && speed > 0)
    navigator.mediaSession.setPositionState?.({ duration, playbackRate: speed, position: Math.min(duration, Math.max(0, position)) });
}

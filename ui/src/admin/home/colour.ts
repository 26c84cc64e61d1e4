// Canvas wants plain colours, the tokens speak CSS. This asks the browser what a custom property really looks like.

export type Paint = (name: string, alpha?: number) => string;

export function paintFrom(element: HTMLElement): Paint {
  const known = new Map<string, [number, number, number]>();
  const probe = document.createElement("span");
  probe.hidden = true;
  const canvas = document.createElement("canvas");
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return (name, alpha = 1) => {
    let rgb = known.get(name);
    if (!rgb) {
      element.append(probe);
      probe.style.color = `var(${name})`;
      const computed = getComputedStyle(probe).color;
      probe.remove();
      rgb = [160, 150, 140];
      if (context) {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = computed;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
        rgb = [r ?? 0, g ?? 0, b ?? 0];
      }
      known.set(name, rgb);
    }
    return `rgba(${rgb[0]}, ${rgb[1]}, ${rgb[2]}, ${alpha})`;
  };
}

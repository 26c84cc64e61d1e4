import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The engines of ten-year-old tablets and of WebKitGTK. Lightning CSS lowers oklch and nesting for them.
const FLOOR = ["chrome87", "safari14", "firefox83"];
const SERVER = process.env.LOGE_DEV_SERVER ?? "http://127.0.0.1:8470";

export default defineConfig({
  base: "/",
  plugins: [svelte()],
  build: {
    target: FLOOR,
    cssTarget: FLOOR,
    cssMinify: "lightningcss",
    // The content policy of the server allows no data: fonts, so nothing is folded into the code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(["/api", "/stream", "/healthz", "/readyz"].map((path) => [path, { target: SERVER }])),
  },
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.ts"],
    restoreMocks: true,
    // The contrast test reads the real tokens.
    css: { include: [/tokens\.css/] },
  },
});

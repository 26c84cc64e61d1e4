// No style preprocessing: Lightning CSS lowers the finished sheet, and lowering a component's part of it breaks keyframes.
export default {
  compilerOptions: { runes: true },
  vitePlugin: { dynamicCompileOptions: ({ filename }) => (filename.includes("node_modules") ? { runes: undefined } : undefined) },
};

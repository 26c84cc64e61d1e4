import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/fraunces/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "./kit/tokens.css";
import "./kit/base.css";
import { mount } from "svelte";
import App from "./app/App.svelte";
import { theme } from "./app/theme.svelte";

theme.start();
const target = document.getElementById("app");
if (target) mount(App, { target });

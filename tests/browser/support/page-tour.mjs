// Every page and dialog of both halves, as a table: how a state is opened, what shows that it is
// there, and which complaints belong to it. `pages.test.mjs` walks through it.
//
// A state is { name, route?, shows?, path?, open?, ready, expects?, then? }: `path` is opened, or
// `open` brings the page there from the state before; `ready` is what has to be in sight; `shows`
// names the component that is a dialog; `then` is the state that follows on the same page.

const button = (page, name) => page.getByRole("button", { name, exact: true }).first();
const press = (name) => (page) => button(page, name).click();
const close = (page) => page.keyboard.press("Escape");

/** Behind the `#`, or the last part of the path. */
const secretOf = (address) => address?.split(/[#/]/).at(-1);

/** The first visit, to a server without an owner. `fill` types what the forms ask for. */
export const firstRun = ({ setupCode, owner, media }) => [
  { name: "setup, owner", route: "/setup", path: "/setup", ready: (page) => page.getByLabel("Setup code") },
  {
    name: "setup, three wrong fields",
    open: async (page) => {
      await page.getByLabel("Setup code").fill("WRONG");
      await page.getByLabel("Password", { exact: true }).fill("short");
      await button(page, "Make it mine").click();
    },
    ready: (page) => page.getByRole("alert").first(),
    expects: [/status of 4\d\d/],
  },
  {
    name: "setup, library",
    open: async (page) => {
      await page.getByLabel("Setup code").fill(setupCode);
      await page.getByLabel("Name", { exact: true }).fill(owner.name);
      await page.getByLabel("Password", { exact: true }).fill(owner.password);
      await button(page, "Make it mine").click();
    },
    ready: (page) => page.getByLabel("Folder", { exact: true }),
  },
  { name: "setup, folders", shows: "setup/FolderDialog", open: press("Choose"), ready: (page) => page.getByRole("dialog"), leave: close },
  {
    name: "setup, a folder that can be read",
    open: (page) => page.getByLabel("Folder", { exact: true }).fill(media),
    ready: (page) => page.getByText(/videos? found/),
  },
  { name: "setup, done", open: press("Later"), ready: (page) => page.getByRole("link", { name: "Open the house" }) },
];

export const anonymous = ({ invite, ended }) => [
  { name: "sign-in", route: "/signin", path: "/signin", ready: (page) => button(page, "Sign in") },
  {
    name: "sign-in, refused",
    open: async (page) => {
      await page.getByLabel("Name", { exact: true }).fill("Ana");
      await page.getByLabel("Password", { exact: true }).fill("not the password");
      await button(page, "Sign in").click();
    },
    ready: (page) => page.getByRole("alert"),
    expects: [/status of 401/],
  },
  { name: "the setup page once there is an owner", path: "/setup", ready: (page) => button(page, "Sign in") },
  { name: "invitation of an older server", route: "/invite/:token", path: `/invite/${secretOf(invite)}`, ready: (page) => button(page, "Take the seat") },
  { name: "invitation", route: "/invite", path: invite, ready: (page) => button(page, "Take the seat") },
  {
    name: "invitation, two wrong fields",
    open: async (page) => {
      await page.getByLabel("Password", { exact: true }).fill("short");
      await button(page, "Take the seat").click();
    },
    ready: (page) => page.getByRole("alert").first(),
    expects: [/status of 4\d\d/],
  },
  {
    // Before a name and a password are typed.
    name: "invitation that has ended",
    path: ended,
    ready: (page) => page.getByText("This invitation cannot be used"),
    expects: [/status of 4\d\d/],
  },
];

export const viewer = ({ titles, library }) => [
  { name: "home", route: "/", path: "/", ready: (page) => page.getByTestId("title-card").first() },
  { name: "account menu", shows: "app/AccountMenu", open: (page) => page.getByRole("button", { name: /^Account of/ }).click(), ready: (page) => page.getByRole("menu"), leave: close },
  { name: "library", route: "/library/:id", path: `/library/${library}`, ready: (page) => page.getByTestId("title-card").first() },
  { name: "search", route: "/search", path: "/search", ready: (page) => page.getByTestId("title-card").first() },
  { name: "search without a result", path: "/search?q=zzzz", ready: (page) => page.getByText("Nothing matches") },
  ...Object.entries(titles).map(([name, id], at) => ({
    name: `title, ${name}`,
    ...(at === 0 ? { route: "/title/:id" } : {}),
    path: `/title/${id}`,
    // What is folded away is part of the page.
    open: (page) => page.locator("details").evaluateAll((all) => all.forEach((one) => (one.open = true))),
    ready: (page) => page.getByRole("heading", { level: 1 }),
  })),
  { name: "title that is not there", path: "/title/00000000000000000000000000000000", ready: (page) => page.getByText("There is no such film"), expects: [/status of 404/] },
  { name: "account", route: "/account", path: "/account", ready: (page) => page.getByText("This one") },
  {
    name: "account, a wrong password",
    open: async (page) => {
      await page.getByLabel("Current password").fill("not the password");
      await page.getByLabel("New password").fill("short");
      await button(page, "Change password").click();
    },
    ready: (page) => page.getByRole("alert").first(),
    expects: [/status of 4\d\d/],
  },
  { name: "an address without a page", path: "/there-is-no-such-page", ready: (page) => page.getByText("There is nothing here") },
  { name: "an owner's page as a viewer", path: "/admin/users", ready: (page) => page.getByText("There is nothing here") },
];

/** The player, held: a picture that moves cannot be measured. */
export const player = ({ title }) => {
  const panel = (name, key, label, shows) => ({ name: `player, ${name}`, shows, open: (page) => page.keyboard.press(key), ready: (page) => page.getByLabel(label, { exact: true }).last(), leave: (page) => page.keyboard.press(key) });
  return [
    {
      name: "player",
      route: "/watch/:id",
      path: `/watch/${title}`,
      open: async (page) => {
        await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 0.2);
        await page.keyboard.press("k");
        await page.waitForFunction(() => document.querySelector("video").paused);
      },
      ready: (page) => page.getByLabel("Place in the film"),
    },
    panel("settings", "o", "Settings", "watch/Options"),
    panel("chapters", "h", "Chapters", "watch/Chapters"),
    panel("receipt", "i", "Receipt"),
    panel("keys", "?", "Keys"),
  ];
};

export const owner = ({ user, watching, library, offline }) => [
  { name: "owner's home", route: "/admin", path: "/admin", ready: (page) => page.getByText(/seats taken/).first() },
  { name: "owner's home, as a table", open: (page) => page.keyboard.press("t"), ready: (page) => page.getByRole("button", { name: /Show the theatre/ }), leave: (page) => page.keyboard.press("t") },
  { name: "owner's home, figures", open: (page) => button(page, "Table").click(), ready: (page) => page.getByRole("table").first(), leave: (page) => button(page, "Table").click() },
  { name: "owner's menu", open: (page) => page.getByRole("button", { name: /^Account of/ }).locator("visible=true").click(), ready: (page) => page.getByRole("menu"), leave: close },
  { name: "a container on the owner's home", shows: "admin/loge/LogeSheet", open: (page) => page.getByRole("button", { name: new RegExp(`^${watching}, `) }).click(), ready: (page) => page.getByRole("dialog"), leave: close },
  { name: "users", route: "/admin/users", path: "/admin/users", ready: (page) => page.getByText("Signed in") },
  {
    name: "users, before a sign-in is ended",
    shows: "admin/users/Sessions",
    open: (page) => page.getByRole("button", { name: /^End the sign-in of/ }).first().click(),
    ready: (page) => page.getByText(/password is asked for again/),
    leave: press("Cancel"),
  },
  { name: "a user", shows: "admin/users/UserSheet", path: `/admin/users?user=${user}`, ready: (page) => button(page, "Make owner") },
  { name: "a user, before becoming an owner", open: press("Make owner"), ready: (page) => page.getByText(/Owners see every library/) },
  { name: "a user, before being switched off", open: press("Switch off"), ready: (page) => page.getByText(/devices are signed out/) },
  { name: "a user, before being deleted", open: press("Delete"), ready: (page) => page.getByText(/deleted for good/) },
  { name: "a user, new password", open: press("Reset password"), ready: (page) => page.getByLabel("New password"), leave: close },
  { name: "new user", shows: "admin/users/CreateUser", path: "/admin/users", open: press("New user"), ready: (page) => page.getByRole("dialog") },
  {
    name: "new user, refused",
    open: async (page) => {
      await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("Ana");
      await page.getByRole("dialog").getByLabel("Password", { exact: true }).fill("short");
      await button(page, "Create user").click();
    },
    ready: (page) => page.getByRole("alert").first(),
    expects: [/status of 4\d\d/],
    leave: close,
  },
  { name: "invitations", shows: "admin/users/Invites", path: "/admin/users", open: press("Invite"), ready: (page) => page.getByText("Open invitations") },
  { name: "a new invitation", open: press("Make the link"), ready: (page) => button(page, "Copy"), leave: close },
  { name: "containers", route: "/admin/containers", path: "/admin/containers", ready: (page) => page.getByText(watching).first() },
  { name: "a container", path: `/admin/containers?user=${user}`, ready: (page) => page.getByRole("dialog") },
  { name: "a container, before it is stopped", open: press("Stop"), ready: (page) => page.getByText(/Stop the container of/), leave: close },
  { name: "libraries", route: "/admin/libraries", path: "/admin/libraries", ready: (page) => page.getByText(offline).first() },
  { name: "a library, before it is removed", shows: "admin/libraries/Page", open: press("Remove"), ready: (page) => page.getByText(/The video files stay/), leave: press("Cancel") },
  { name: "a library, edited", open: press("Edit"), ready: (page) => page.getByRole("dialog"), leave: close },
  { name: "new library", shows: "admin/libraries/LibraryDialog", path: "/admin/libraries?add=1", ready: (page) => page.getByRole("dialog") },
  { name: "new library, a folder that is not there", open: (page) => page.getByLabel("Folder", { exact: true }).fill("/there/is/no/such/folder"), ready: (page) => page.getByRole("dialog").getByText(/no such folder|not there/i).first() },
  { name: "new library, folders", shows: "folders/FolderBrowser", open: press("Choose"), ready: (page) => page.getByText("Choose a folder"), expects: [/status of 400/], leave: close },
  { name: "prepared versions", route: "/admin/prepared", path: "/admin/prepared", ready: (page) => page.getByTestId("versions") },
  { name: "a prepared version, before it is removed", shows: "admin/prepared/Page", open: (page) => page.getByRole("button", { name: /^Remove / }).first().click(), ready: (page) => page.getByText(/Preparing it again/), leave: press("Cancel") },
  { name: "backups", route: "/admin/backups", path: "/admin/backups", ready: (page) => page.getByTestId("backups") },
  {
    name: "backups, one more",
    shows: "admin/backups/Page",
    open: async (page) => {
      // By itself the house would try the first backup out at once.
      await page.getByRole("switch", { name: /^Make a backup every day/ }).click();
      await button(page, "Back up now").click();
    },
    ready: (page) => page.getByRole("button", { name: /^Delete the backup of/ }).first(),
  },
  { name: "a backup, before it is deleted", open: (page) => page.getByRole("button", { name: /^Delete the backup of/ }).first().click(), ready: (page) => page.getByText(/Copies in other folders stay/), leave: press("Cancel") },
  {
    name: "backups, a folder that is not there",
    open: async (page) => {
      await page.getByLabel("Folder on another disk").fill("/there/is/no/such/folder");
      await button(page, "Add").click();
    },
    ready: (page) => page.getByRole("alert").first(),
    expects: [/status of 4\d\d/],
  },
  { name: "settings", route: "/admin/settings", path: "/admin/settings", ready: (page) => page.getByText("What was done") },
  {
    name: "settings, refused",
    open: async (page) => {
      await page.getByLabel(/^Seats/).fill("0");
      await button(page, "Save").click();
    },
    ready: (page) => page.locator("input:invalid, [aria-invalid=true]").first(),
    expects: [/status of 4\d\d/],
  },
  { name: "home as the owner", path: "/", ready: (page) => page.getByTestId("title-card").first() },
  { name: "library as the owner", path: `/library/${library}`, ready: (page) => page.getByTestId("title-card").first() },
];

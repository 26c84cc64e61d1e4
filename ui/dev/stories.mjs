// Every page and state worth looking at. `act` brings a page into the state; it runs after the page has settled.
// `grows` marks states where an answer to somebody's own input makes room for itself, so that layout shift says nothing.
const text = (page, name) => page.getByRole("button", { name, exact: false }).first();

export const STORIES = [
  { name: "setup", path: "/setup", scenario: "setup", as: "nobody" },
  { name: "signin", path: "/signin", as: "nobody" },
  { name: "invite", path: "/invite#abc123", as: "nobody" },
  { name: "invite-ended", path: "/invite/ended", as: "nobody" },
  { name: "home", path: "/", as: "viewer" },
  { name: "home-empty", path: "/", scenario: "empty", as: "owner" },
  { name: "library", path: "/library/lib-films", as: "viewer" },
  { name: "library-10000", path: "/library/lib-films", scenario: "10000", as: "owner" },
  { name: "search-nothing", path: "/search?q=zzzz", as: "viewer" },
  { name: "title", path: "/title/t1", as: "viewer" },
  { name: "title-needs-preparing", path: "/title/t15", as: "owner" },
  { name: "title-broken", path: "/title/t43", as: "owner" },
  { name: "title-missing", path: "/title/none", as: "viewer" },
  { name: "account", path: "/account", as: "viewer" },
  { name: "watch", path: "/watch/t3", as: "viewer", settle: 1500 },
  { name: "watch-settings", path: "/watch/t3", as: "viewer", settle: 1500, act: (page) => page.keyboard.press("o") },
  { name: "watch-chapters", path: "/watch/t3", as: "viewer", settle: 1500, act: (page) => page.keyboard.press("h") },
  { name: "watch-receipt", path: "/watch/t3", as: "viewer", settle: 1500, act: (page) => page.keyboard.press("i") },
  { name: "watch-keys", path: "/watch/t3", as: "viewer", settle: 1500, act: (page) => page.keyboard.press("?") },
  { name: "watch-refused", path: "/watch/t43", as: "owner" },

  { name: "admin", path: "/admin" },
  { name: "admin-trouble", path: "/admin", scenario: "trouble" },
  { name: "admin-empty", path: "/admin", scenario: "empty" },
  { name: "admin-starting", path: "/admin", scenario: "starting" },
  { name: "admin-10000", path: "/admin", scenario: "10000" },
  { name: "admin-table", path: "/admin", act: (page) => page.keyboard.press("t") },
  { name: "admin-cores", path: "/admin", act: (page) => text(page, "Per core").click() },
  { name: "admin-1h", path: "/admin", act: (page) => text(page, "1 h").click() },
  { name: "admin-sheet", path: "/admin", act: (page) => page.getByRole("button", { name: /^Ana, / }).click() },
  { name: "admin-sheet-failed", path: "/admin", scenario: "trouble", act: (page) => page.getByRole("button", { name: /^Jonas, / }).click() },
  { name: "users", path: "/admin/users" },
  { name: "users-one", path: "/admin/users", scenario: "empty" },
  { name: "users-sheet", path: "/admin/users?user=u-theo" },
  {
    name: "users-new",
    path: "/admin/users",
    act: async (page) => {
      await text(page, "New user").click();
      await page.getByRole("button", { name: "Suggest a password" }).click();
    },
  },
  {
    name: "users-invite",
    path: "/admin/users",
    act: async (page) => {
      await text(page, "Invite").click();
      await page.getByRole("button", { name: "Make the link" }).click();
      await page.getByRole("img", { name: "QR code of the invitation link" }).waitFor();
    },
  },
  { name: "backups", path: "/admin/backups" },
  { name: "backups-empty", path: "/admin/backups", scenario: "empty" },
  { name: "prepared", path: "/admin/prepared" },
  { name: "prepared-empty", path: "/admin/prepared", scenario: "empty" },
  {
    name: "title-preparing",
    grows: true,
    path: "/title/t15",
    as: "owner",
    act: (page) =>
      text(page, "Prepare now")
        .click({ timeout: 3000 })
        .catch(() => {}),
  },
  { name: "containers", path: "/admin/containers" },
  { name: "containers-trouble", path: "/admin/containers", scenario: "trouble" },
  { name: "containers-sheet", path: "/admin/containers?user=u-jonas", scenario: "trouble" },
  { name: "libraries", path: "/admin/libraries" },
  { name: "libraries-trouble", path: "/admin/libraries", scenario: "trouble" },
  { name: "libraries-empty", path: "/admin/libraries", scenario: "empty" },
  {
    name: "libraries-add",
    grows: true,
    path: "/admin/libraries",
    act: async (page) => {
      await text(page, "Add library").click();
      await page.getByPlaceholder("/srv/media/films").fill("/home/mara/Videos");
      await page.getByText("This opens it").waitFor();
    },
  },
  {
    name: "libraries-browse",
    path: "/admin/libraries",
    act: async (page) => {
      await text(page, "Add library").click();
      await text(page, "Choose").click();
    },
  },
  { name: "settings", path: "/admin/settings" },
  { name: "settings-trouble", path: "/admin/settings", scenario: "trouble" },
  { name: "nowhere", path: "/there-is-no-such-page", as: "viewer" },
];

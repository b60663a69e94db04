// Debian's Chromium in place of the one that Playwright downloads. Nothing leaves the
// machine: no name but localhost is resolved.
module.exports = {
  reporter: "list",
  use: {
    baseURL: process.env.APP_URL ?? "http://localhost:8080",
    locale: "fr-FR",
    launchOptions: {
      executablePath: process.env.CHROMIUM,
      args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
    },
  },
};

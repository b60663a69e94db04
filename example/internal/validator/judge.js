// Reads a JSON array of strings and writes one of booleans: whether each is an
// address for the package validator at its defaults, which ProConnect's server uses.
const isEmail = require("validator/lib/isEmail").default;
let input = "";
process.stdin.on("data", (chunk) => { input += chunk; });
process.stdin.on("end", () => process.stdout.write(JSON.stringify(JSON.parse(input).map((s) => isEmail(s)))));

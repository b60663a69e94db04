// An application and fakeproconnect, in a browser that Playwright drives.
const { test, expect } = require("@playwright/test");

const fake = process.env.FAKE_URL ?? "http://127.0.0.1:8081";

test("the login page, and the code by e-mail", async ({ page }) => {
  await page.goto("/mfa");
  await page.getByLabel(/Marie Louise/).check();
  await page.getByRole("button", { name: "Se connecter" }).click();
  await page.getByLabel("Code à huit chiffres").fill(await page.locator("#mail-code").innerText());
  await page.getByRole("button", { name: "Valider" }).click();
  await expect(page).toHaveURL("/mfa");
});

test("ProConnect fails", async ({ page, request }) => {
  await page.goto(`${fake}/as/marie`);
  await request.post(`${fake}/faults?name=token-error-503`);
  try {
    const answer = await page.goto("/agent");
    expect(answer.status()).toBe(503);
  } finally {
    await request.delete(`${fake}/faults`);
  }
});

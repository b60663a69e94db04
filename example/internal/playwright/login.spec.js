// An application and fakeproconnect, in a browser that Playwright drives.
const { test, expect } = require("@playwright/test");

const app = process.env.APP_URL ?? "http://localhost:8080";
const fake = process.env.FAKE_URL ?? "http://127.0.0.1:8081";

test.use({ locale: "fr-FR" });

test("an agent sees their data, without a click", async ({ page }) => {
  await page.goto(`${fake}/as/marie`);
  await page.goto(`${app}/agent`);
  await expect(page).toHaveURL(`${app}/agent`);
  await expect(page.locator("main")).toContainText("Marie Louise");
});

test("the login page, and the code by e-mail", async ({ page }) => {
  await page.goto(`${app}/mfa`);
  await page.getByLabel(/Marie Louise/).check();
  await page.getByRole("button", { name: "Se connecter" }).click();
  await page.getByLabel("Code à huit chiffres").fill(await page.locator("#mail-code").innerText());
  await page.getByRole("button", { name: "Valider" }).click();
  await expect(page).toHaveURL(`${app}/mfa`);
});

test("ProConnect fails", async ({ page, request }) => {
  await page.goto(`${fake}/as/marie`);
  await request.post(`${fake}/faults?name=token-error-503`);
  try {
    const answer = await page.goto(`${app}/agent`);
    expect(answer.status()).toBe(503);
  } finally {
    await request.delete(`${fake}/faults`);
  }
});

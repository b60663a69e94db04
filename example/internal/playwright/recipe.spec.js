const { test, expect } = require("@playwright/test");

const fake = process.env.FAKE_URL ?? "http://127.0.0.1:8081";

test("an agent sees their data", async ({ page }) => {
  await page.goto(`${fake}/as/marie`); // the browser keeps its cookie
  await page.goto("/agent"); // of the baseURL; to fakeproconnect and back, without a click
  await expect(page.locator("main")).toContainText("Marie Louise");
});

const API = "https://api.example.gouv.fr";

// api calls the API. Without a session it sends the page to the API's login, which
// comes back to this page by the API's /retour.
export async function api(path, options = {}) {
  const response = await fetch(API + path, { ...options, credentials: "include", headers: { Accept: "application/json", ...options.headers } });
  if (response.status !== 401) return response;
  const { login_url } = await response.json();
  const login = new URL(login_url, API); // it is relative to the API
  const page = location.pathname + location.search + location.hash;
  login.searchParams.set("return_to", "/retour?page=" + encodeURIComponent(page));
  location.assign(login);
  return new Promise(() => {}); // the browser is leaving
}

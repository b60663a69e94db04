// api calls the API. Without a session it sends the page to the login, which comes
// back to this page, fragment included.
export async function api(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  if (response.status !== 401) return response;
  const { login_url } = await response.json();
  const login = new URL(login_url, location.origin);
  login.searchParams.set("return_to", location.pathname + location.search + location.hash);
  location.assign(login);
  return new Promise(() => {}); // the browser is leaving
}

const me = await (await api("/api/me")).json();
document.querySelector("#agent").textContent = me.sub;

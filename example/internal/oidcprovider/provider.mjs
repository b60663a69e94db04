// The process: `node provider.mjs`. Each line of its standard input is a whole configuration, in
// JSON, and each is answered by a line of standard output, {"port", "jwks"} or {"error"}. A second
// configuration replaces the first while everything else stays: logins under way, sessions, tokens.
// The process ends with its standard input, so that it never outlives the tests.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { configuration, prefix } from './configuration.mjs';
import { escapeHTML, page } from './html.mjs';
import {
  answerInteraction, beforeAuthorize, forget, malformed, showInteraction,
} from './signin.mjs';

// The engine writes its notices with console.info; standard output is for the answers alone. It
// does so while it is loaded, hence the late import.
console.info = console.error;
const { default: { Provider } } = await import('oidc-provider');

let current; // { provider, agents }

function newKeys() {
  const key = (type, options, alg) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
    kid: randomUUID(),
    use: 'sig',
    alg,
  });
  return {
    keys: [
      key('ec', { namedCurve: 'P-256' }, 'ES256'),
      key('rsa', { modulusLength: 2048 }, 'RS256'),
    ],
  };
}

function sendPage(res, status, code, text) {
  res.statusCode = status;
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(page('Erreur', `<p><code>${code}</code> ${escapeHTML(text)}</p>`));
}

async function readForm(req) {
  let body = '';
  for await (const chunk of req) body += chunk;
  return new URLSearchParams(body);
}

async function handle(req, res) {
  const { provider, agents } = current;
  const url = new URL(req.url, provider.issuer);
  if (!url.pathname.startsWith(`${prefix}/`)) {
    return sendPage(res, 404, 'Y000404', url.pathname);
  }
  const path = url.pathname.slice(prefix.length);

  if (path.startsWith('/interaction/')) {
    res.setHeader('Cache-Control', 'no-store');
    return req.method === 'POST'
      ? answerInteraction(provider, agents, req, res, await readForm(req))
      : showInteraction(provider, agents, req, res);
  }
  switch (path) {
    case '/authorize': {
      if (req.method !== 'GET') {
        return sendPage(res, 404, 'Y000404', 'GET');
      }
      const wrong = malformed(url.searchParams);
      if (wrong) {
        return sendPage(res, 400, 'Y000400', wrong);
      }
      beforeAuthorize(req, res, url.searchParams);
      break;
    }
    case '/session/end':
      if (req.method !== 'GET') {
        return sendPage(res, 404, 'Y000404', 'GET');
      }
      forget(req);
      break;
    case '/jwks':
    case '/.well-known/openid-configuration':
      res.setHeader('Cache-Control', 'public, max-age=600');
      break;
    default:
  }
  // The engine finds out where it is mounted by comparing the two.
  req.url = path + url.search;
  req.originalUrl = prefix + req.url;
  return provider.callback()(req, res);
}

const server = createServer((req, res) => {
  handle(req, res).catch((error) => {
    if (error.name === 'SessionNotFound') { // the login is over, or another browser's
      sendPage(res, 400, 'Y030110', error.error_description);
      return;
    }
    console.error(error);
    sendPage(res, 500, 'Y000500', error.message);
  });
});

async function configure(settings) {
  if (!server.listening) {
    server.listen(settings.port, '127.0.0.1');
    await once(server, 'listening');
  }
  const { port } = server.address();
  const jwks = settings.jwks ?? newKeys();
  const provider = new Provider(
    `http://127.0.0.1:${port}${prefix}`,
    configuration({ ...settings, jwks }),
  );
  // The engine reads clients lazily; a wrong registration is to be known now.
  for (const { client_id: id } of settings.clients) {
    await provider.Client.find(id);
  }
  provider.on('server_error', (_ctx, error) => console.error(error));
  current = { provider, agents: settings.agents.map((agent) => ({ claims: {}, ...agent })) };
  return { port, jwks };
}

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit());
for await (const line of lines) {
  const answer = await configure(JSON.parse(line)).catch((error) => ({
    error: error.error_description ?? error.message,
  }));
  console.log(JSON.stringify(answer));
}

// Where the engine keeps sessions, grants and tokens. It lives as long as the process, so that it
// survives a change of keys or of clients. The engine's own memory store evicts entries beyond a
// thousand or two, which a test with many agents would notice.

const entries = new Map();
const keyOfUid = new Map();

export class Store {
  constructor(model) {
    this.model = model;
  }

  #key(id) {
    return `${this.model}:${id}`;
  }

  #read(key) {
    const entry = entries.get(key);
    if (entry && entry.expiresAt <= Date.now()) {
      entries.delete(key);
      return undefined;
    }
    return entry?.payload;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.#key(id);
    entries.set(key, { payload, expiresAt: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.uid) {
      keyOfUid.set(`${this.model}:${payload.uid}`, key);
    }
  }

  async find(id) {
    return this.#read(this.#key(id));
  }

  async findByUid(uid) {
    return this.#read(keyOfUid.get(`${this.model}:${uid}`));
  }

  async consume(id) {
    entries.get(this.#key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    entries.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of entries) {
      if (payload.grantId === grantId) entries.delete(key);
    }
  }
}

package agentconnecttest

import (
	"crypto/rand"
	"maps"
	"net/url"
	"slices"
	"time"
)

// Lifetimes.
const (
	interactionLife = time.Hour
	sessionLife     = 12 * time.Hour
	codeLife        = 60 * time.Second
	refreshLife     = 12 * time.Hour
	idTokenLife     = time.Hour
)

// state is everything that the provider remembers about logins. Provider.mu guards
// it.
type state struct {
	interactions map[string]*interaction
	sessions     map[string]*session // by the value of the session cookie
	latest       map[string]string   // sub → key in sessions
	codes        map[string]*code
	access       map[string]*token
	refresh      map[string]*token
	mailCodes    map[string]*mailCode // by e-mail address
	issued       []Issued
	started      int // interactions so far
	nextPurge    int // size at which expired entries are dropped
}

func newState() state {
	return state{
		interactions: make(map[string]*interaction),
		sessions:     make(map[string]*session),
		latest:       make(map[string]string),
		codes:        make(map[string]*code),
		access:       make(map[string]*token),
		refresh:      make(map[string]*token),
		mailCodes:    make(map[string]*mailCode),
		nextPurge:    1024,
	}
}

// token returns an access or a refresh token, nil if there is none, and whether it is
// an access token.
func (s *state) token(value string) (*token, bool) {
	if found, ok := s.access[value]; ok {
		return found, true
	}
	return s.refresh[value], false
}

// interaction is one passage through the login page.
type interaction struct {
	id      string
	browser string // the value of the browser cookie
	number  int    // later ones have greater numbers
	request authorization
	expires time.Time
	done    bool
	session string // the key of the session, once the agent must type a code by e-mail
	email   string // the address of the code
}

// session is an agent's session at the provider (SSO), bound to one browser.
type session struct {
	agent   Agent // as they were at the login
	auth    authentication
	expires time.Time
	grants  []*grant
}

// grant is the codes and tokens that one login gave to one client.
type grant struct {
	clientID string
	sub      string
	agent    string
	sid      string
	scopes   []string
	claims   claimsRequest
	nonce    string
	acr      string
	amr      []string
	authTime time.Time
	revoked  bool
	idToken  string // the last one issued
}

type code struct {
	grant       *grant
	redirectURI string
	challenge   string
	expires     time.Time
	used        bool
}

type token struct {
	grant   *grant
	scopes  []string
	issued  time.Time
	expires time.Time
	used    bool // rotated refresh token
}

// Issued is a code, or the tokens of one answer, that the provider has issued.
type Issued struct {
	ClientID     string
	Agent        string // the agent's Login
	Sub          string
	Nonce        string
	Code         string // with a callback; the rest is empty then
	AccessToken  string
	RefreshToken string
	IDToken      string // as it was sent, with the effect of faults
	Time         time.Time
}

// Issued returns the latest codes and tokens that the provider has issued, oldest
// first: at least the last 4096.
func (p *Provider) Issued() []Issued {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.state.issued)
}

func (s *state) remember(i Issued) {
	if len(s.issued) >= 2*recordedMax {
		s.issued = slices.Clone(s.issued[recordedMax:])
	}
	s.issued = append(s.issued, i)
}

// purge drops expired entries, once in a while. A used code is kept until it would have
// expired, to notice a second use.
func (s *state) purge(now time.Time) {
	size := len(s.interactions) + len(s.sessions) + len(s.codes) + len(s.access) + len(s.refresh)
	if size < s.nextPurge {
		return
	}
	maps.DeleteFunc(s.interactions, func(_ string, i *interaction) bool { return now.After(i.expires) })
	maps.DeleteFunc(s.sessions, func(_ string, s *session) bool { return now.After(s.expires) })
	maps.DeleteFunc(s.latest, func(_, key string) bool { return s.sessions[key] == nil })
	maps.DeleteFunc(s.mailCodes, func(_ string, m *mailCode) bool { return now.Sub(m.sent) > mailCodeLife })
	maps.DeleteFunc(s.codes, func(_ string, c *code) bool { return now.After(c.expires) })
	maps.DeleteFunc(s.access, func(_ string, t *token) bool { return now.After(t.expires) })
	maps.DeleteFunc(s.refresh, func(_ string, t *token) bool { return now.After(t.expires) })
	size = len(s.interactions) + len(s.sessions) + len(s.codes) + len(s.access) + len(s.refresh)
	s.nextPurge = max(1024, 2*size)
}

// alive returns the agent's session, if there is one. It is the latest one: the real
// one uses it for every token, even a token of another login.
func (s *state) alive(sub string, now time.Time) *session {
	latest := s.sessions[s.latest[sub]]
	if latest == nil || now.After(latest.expires) {
		return nil
	}
	return latest
}

// EndProviderSession ends all the sessions of an agent at the provider, as a logout in
// another application would: the next login shows the login page, and a silent login
// gets login_required. Tokens stay, and fail as on the real one: userinfo and refresh
// answer 500 server_error until the agent logs in again, but introspection says active.
// It reports whether there was a session.
func (p *Provider) EndProviderSession(sub string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ended := false
	for key, s := range p.state.sessions {
		if s.agent.Sub() == sub {
			delete(p.state.sessions, key)
			ended = true
		}
	}
	return ended
}

// RevokeTokens revokes all the grants of an agent and their tokens: a refresh answers
// invalid_grant, userinfo 401, and introspection says inactive. The agent's session at
// the provider stays.
func (p *Provider) RevokeTokens(sub string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tokens := range []map[string]*token{p.state.access, p.state.refresh} {
		for _, t := range tokens {
			if t.grant.sub == sub {
				t.grant.revoked = true
			}
		}
	}
}

// random returns 260 bits in base 32.
func random() string { return rand.Text() + rand.Text() }

// withQuery adds parameters to a URL that may have some.
func withQuery(raw string, pairs ...string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic("agentconnecttest: a validated URL does not parse: " + err.Error()) // registration checks it
	}
	for i := 0; i < len(pairs); i += 2 {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1])
	}
	return u
}

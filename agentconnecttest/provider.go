package agentconnecttest

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config configures the provider that [New] makes. Only Issuer is required.
type Config struct {
	// Issuer is the issuer identifier, an absolute http or https URL without
	// query, fragment or final slash, such as "http://127.0.0.1:8081/api/v2". The
	// handler serves every endpoint under its path. The real one's is /api/v2.
	Issuer string

	// Clients are the registered service providers. More can be added later with
	// [Provider.SetClient].
	Clients []Client

	// Agents are the people who can log in; nil means [DemoAgents].
	Agents []Agent

	// Now returns the current time; nil means [time.Now]. It must be safe for
	// concurrent use.
	Now func() time.Time

	// RotateRefreshTokens makes each refresh token usable once: each refresh gives a
	// new one, and a second use revokes the whole grant. The real one, and the provider
	// without this field, only do so after 70 % of the token's life.
	RotateRefreshTokens bool

	// RIE makes it the ProConnect of the State's private network: roles is always
	// agent_public alone, and there is neither an organization_label nor a code by
	// e-mail.
	RIE bool

	// AccessTokenLife is how long access tokens last; 0 means an hour.
	AccessTokenLife time.Duration

	// PickAgent logs an agent in without the login page. It returns the Login of the
	// agent for a request to authorize, or "" for the login page. The code by e-mail
	// counts as typed. It is for browsers that a program controls. It must be safe for
	// concurrent use; nil means the login page for all requests.
	PickAgent func(r *http.Request) string

	// Logger receives one line for each request, at debug level, without any
	// secret; nil means no log.
	Logger *slog.Logger

	withoutNetwork bool // for NewServer
}

// Provider is a ProConnect in the process: an [http.Handler] that serves every
// endpoint of one issuer and a login page where a person picks a demonstration
// agent. It is safe for concurrent use and keeps everything in memory.
//
// It is for tests and demonstrations: it asks for no password, so anyone who reaches it
// can log in as any of its agents. Never use it with real accounts.
type Provider struct {
	issuer   string
	base     string // the path of the issuer
	secure   bool   // whether the cookies are for https only
	now      func() time.Time
	logger   *slog.Logger
	faults   faultSet
	keys     keyRing
	requests recorder
	pages    pages
	moved    movedAnswers

	mu      sync.Mutex
	rules   rules
	clients map[string]Client
	agents  []Agent
	state   state
}

// rules are the settings that [Provider.Reconfigure] can change.
type rules struct {
	rotate     bool
	rie        bool
	accessLife time.Duration
	pick       func(*http.Request) string
}

func (p *Provider) ruled() rules {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules
}

// New returns the provider that cfg describes. It opens no port and makes no network
// call. The error joins all the problems of cfg.
func New(cfg Config) (*Provider, error) {
	p := &Provider{
		issuer: cfg.Issuer,
		now:    cfg.Now,
		logger: cfg.Logger,
		state:  newState(),
	}
	u, err := parseIssuer(cfg.Issuer)
	if err == nil {
		p.base, p.secure = u.Path, u.Scheme == "https"
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(err, p.configure(cfg)); err != nil {
		return nil, err
	}
	if p.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("agentconnecttest: pages: %w", err)
	}
	if err := p.keys.init(); err != nil {
		return nil, fmt.Errorf("agentconnecttest: keys: %w", err)
	}
	return p, nil
}

// Reconfigure replaces the clients, the agents and the rules. Sessions, codes, tokens
// and keys stay. It ignores Issuer, Now and Logger of cfg. The error joins all the
// problems of cfg; then nothing has changed.
func (p *Provider) Reconfigure(cfg Config) error { return p.configure(cfg) }

func (p *Provider) configure(cfg Config) error {
	var problems []error
	clients := make(map[string]Client)
	for i, c := range cfg.Clients {
		if _, ok := clients[c.ID]; ok {
			problems = append(problems, fmt.Errorf("agentconnecttest: Config.Clients[%d]: ID %q is already that of another client", i, c.ID))
		}
		if err := c.validate(); err != nil {
			problems = append(problems, fmt.Errorf("agentconnecttest: Config.Clients[%d]: %w", i, err))
		}
		clients[c.ID] = c.withDefaults()
	}
	given := cfg.Agents
	if given == nil {
		given = DemoAgents()
	}
	var agents []Agent
	for i, a := range given {
		if slices.ContainsFunc(agents, func(other Agent) bool { return other.Login == a.Login }) {
			problems = append(problems, fmt.Errorf("agentconnecttest: Config.Agents[%d]: Login %q is already that of another agent", i, a.Login))
		}
		if err := a.validate(); err != nil {
			problems = append(problems, fmt.Errorf("agentconnecttest: Config.Agents[%d]: %w", i, err))
		}
		agents = append(agents, a.clone())
	}
	if cfg.AccessTokenLife < 0 {
		problems = append(problems, errors.New("agentconnecttest: Config.AccessTokenLife: negative"))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients, p.agents = clients, agents
	p.rules = rules{cfg.RotateRefreshTokens, cfg.RIE, cmp.Or(cfg.AccessTokenLife, time.Hour), cfg.PickAgent}
	return nil
}

func parseIssuer(issuer string) (*url.URL, error) {
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		return nil, errors.New("agentconnecttest: Config.Issuer: missing")
	case err != nil:
		return nil, fmt.Errorf("agentconnecttest: Config.Issuer: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("agentconnecttest: Config.Issuer: %q is not an absolute http or https URL", issuer)
	case u.User != nil, strings.ContainsAny(issuer, "?#"):
		return nil, fmt.Errorf("agentconnecttest: Config.Issuer: %q must have neither user information, query nor fragment", issuer)
	case strings.HasSuffix(u.Path, "/"):
		return nil, fmt.Errorf("agentconnecttest: Config.Issuer: %q must not end with a slash", issuer)
	}
	return u, nil
}

// Issuer returns the issuer identifier, as [Config] gave it.
func (p *Provider) Issuer() string { return p.issuer }

// ServeHTTP serves the provider's endpoints under the path of the issuer, and an
// error page Y000404 everywhere else.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint, serve := p.route(r)
	// The body is read to its end first, so that the server notices a client that
	// leaves during a slow answer.
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	formErr := r.ParseForm()
	p.requests.add(endpoint, r, p.now())

	a := &Answer{Header: make(http.Header)}
	if formErr != nil {
		p.errorPage(a, r, "Y000400", "malformed request", nil)
	} else {
		serve(a, r)
	}
	for _, tamper := range p.faults.take(func(t Tamper) bool { return t.Answer != nil && t.Endpoint == endpoint }) {
		tamper.Answer(a)
	}
	if a.Redirect != 0 {
		a = p.moved.move(a, p.issuer)
	}
	p.logger.DebugContext(r.Context(), "agentconnecttest: request", "method", r.Method, "endpoint", string(endpoint), "status", a.status())
	a.send(w, r)
}

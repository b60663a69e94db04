package main

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// settings is the JSON file, with the changes of flags and variables.
type settings struct {
	Listen              string   `json:"listen"`
	Issuer              string   `json:"issuer"`
	TLSCert             string   `json:"tls_cert"`
	TLSKey              string   `json:"tls_key"`
	RIE                 bool     `json:"rie"`
	RotateRefreshTokens bool     `json:"rotate_refresh_tokens"`
	AccessTokenLife     duration `json:"access_token_life"`
	Login               string   `json:"login"`
	Faults              []string `json:"faults"`
	Clients             []client `json:"clients"`
	Agents              []agent  `json:"agents"`

	file string // its path, "" if there is none
	text string // its content
}

// client is the registration of an application.
type client struct {
	ID                     string   `json:"id"`
	Secret                 string   `json:"secret"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	IDTokenAlg             string   `json:"id_token_alg"`
	UserinfoAlg            string   `json:"userinfo_alg"`
	IntrospectionAlg       string   `json:"introspection_alg"`
	PublicOnly             bool     `json:"public_only"`
	EmailDomains           []string `json:"email_domains"`
	Scopes                 []string `json:"scopes"`
}

// agent is a person who can log in.
type agent struct {
	Login     string         `json:"login"`
	Claims    map[string]any `json:"claims"`
	ACR       string         `json:"acr"`
	AMR       []string       `json:"amr"`
	OtherACRs []string       `json:"other_acrs"`
	Blocked   bool           `json:"blocked"`
}

// duration is written as text, such as "90s" or "1h".
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// defaults is one client, an application on port 8080 of this machine.
func defaults() settings {
	return settings{
		Listen: "127.0.0.1:8081",
		Clients: []client{{
			ID:                     "demonstration",
			Secret:                 "a-demonstration-secret-of-more-than-sixty-four-characters-in-all-0123456789",
			RedirectURIs:           []string{"http://localhost:8080/callback", "http://127.0.0.1:8080/callback"},
			PostLogoutRedirectURIs: []string{"http://localhost:8080/logout/callback", "http://127.0.0.1:8080/logout/callback"},
		}},
	}
}

// list is a flag that can be given several times. In a variable, commas separate the
// values.
type list struct{ values *[]string }

// String implements flag.Value.
func (l list) String() string { return "" }

// Set implements flag.Value.
func (l list) Set(text string) error {
	*l.values = append(*l.values, strings.Split(text, ",")...)
	return nil
}

// parse reads the flags. It returns a function that reads the settings each time it is
// called: from the file, then the variables, then the flags.
func parse(args []string, env func(string) (string, bool), stderr io.Writer) (func() (settings, error), error) {
	flags := flag.NewFlagSet("fakeproconnect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var given settings
	given.Clients = make([]client, 1)
	c := &given.Clients[0]
	file := flags.String("config", "", "a JSON `file` of settings, read again when it changes")
	flags.StringVar(&given.Listen, "listen", "", "the `address` to listen on (default 127.0.0.1:8081)")
	flags.StringVar(&given.Issuer, "issuer", "", "the issuer `URL` (default http://ADDRESS/api/v2, https with -tls-cert)")
	flags.StringVar(&given.TLSCert, "tls-cert", "", "a PEM `file`, to serve https")
	flags.StringVar(&given.TLSKey, "tls-key", "", "a PEM `file`, the key of -tls-cert")
	flags.BoolVar(&given.RIE, "rie", false, "be the ProConnect of the State's private network")
	flags.BoolVar(&given.RotateRefreshTokens, "rotate-refresh-tokens", false, "make each refresh token usable once")
	flags.Func("access-token-life", "how long access tokens last, such as 90s (default 1h)", func(text string) error {
		return given.AccessTokenLife.UnmarshalText([]byte(text))
	})
	flags.StringVar(&given.Login, "login", "", "log this `agent` in everywhere, without the login page")
	flags.Var(list{&given.Faults}, "fault", "fail in this way (the `name` of a fault; several are allowed)")
	flags.StringVar(&c.ID, "client-id", "", "the `client_id` of the application (default demonstration)")
	flags.StringVar(&c.Secret, "client-secret", "", "its `secret`")
	flags.Var(list{&c.RedirectURIs}, "redirect-uri", "its redirect `URI` (several are allowed; default http://localhost:8080/callback)")
	flags.Var(list{&c.PostLogoutRedirectURIs}, "post-logout-redirect-uri", "its post-logout redirect `URI` (several are allowed)")
	flags.StringVar(&c.IDTokenAlg, "id-token-alg", "", "RS256, ES256 or HS256 (default RS256)")
	flags.StringVar(&c.UserinfoAlg, "userinfo-alg", "", "the same, or none (default that of -id-token-alg)")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage of fakeproconnect:")
		flags.PrintDefaults()
		fmt.Fprintln(stderr, "Each flag is also a variable, FAKEPROCONNECT_REDIRECT_URI for -redirect-uri, with commas between several values.")
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("fakeproconnect: unknown argument %q", flags.Arg(0))
		fmt.Fprintln(stderr, err)
		return nil, err
	}
	set := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	var problems []error
	flags.VisitAll(func(f *flag.Flag) {
		name := "FAKEPROCONNECT_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, _ := env(name); value != "" && !set[f.Name] {
			if err := flags.Set(f.Name, value); err != nil {
				problems = append(problems, fmt.Errorf("fakeproconnect: %s: invalid value %q: %w", name, value, err))
			}
			set[f.Name] = true
		}
	})
	return func() (settings, error) {
		merged, err := readFile(*file)
		merged.merge(given, set)
		return merged, errors.Join(append(slices.Clone(problems), err, merged.check())...)
	}, nil
}

// readFile reads the settings of a file over the defaults.
func readFile(name string) (settings, error) {
	s := defaults()
	if s.file = name; name == "" {
		return s, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return s, fmt.Errorf("fakeproconnect: %w", err)
	}
	s.text = string(text)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	ours := s.Clients
	s.Clients = nil // otherwise the file's first client would keep what it does not set
	err = decoder.Decode(&s)
	if s.Clients == nil {
		s.Clients = ours
	}
	if err != nil {
		return s, fmt.Errorf("fakeproconnect: %s: %w", name, err)
	}
	if decoder.More() {
		return s, fmt.Errorf("fakeproconnect: %s: more than one JSON object", name)
	}
	return s, nil
}

// merge applies the settings of flags and variables. Those of a client change the first
// one.
func (s *settings) merge(given settings, set map[string]bool) {
	if len(s.Clients) == 0 {
		s.Clients = []client{{}}
	}
	c, g := &s.Clients[0], given.Clients[0]
	for name, change := range map[string]func(){
		"listen":                   func() { s.Listen = given.Listen },
		"issuer":                   func() { s.Issuer = given.Issuer },
		"tls-cert":                 func() { s.TLSCert = given.TLSCert },
		"tls-key":                  func() { s.TLSKey = given.TLSKey },
		"rie":                      func() { s.RIE = given.RIE },
		"rotate-refresh-tokens":    func() { s.RotateRefreshTokens = given.RotateRefreshTokens },
		"access-token-life":        func() { s.AccessTokenLife = given.AccessTokenLife },
		"login":                    func() { s.Login = given.Login },
		"fault":                    func() { s.Faults = given.Faults },
		"client-id":                func() { c.ID = g.ID },
		"client-secret":            func() { c.Secret = g.Secret },
		"redirect-uri":             func() { c.RedirectURIs = g.RedirectURIs },
		"post-logout-redirect-uri": func() { c.PostLogoutRedirectURIs = g.PostLogoutRedirectURIs },
		"id-token-alg":             func() { c.IDTokenAlg = g.IDTokenAlg },
		"userinfo-alg":             func() { c.UserinfoAlg = g.UserinfoAlg },
	} {
		if set[name] {
			change()
		}
	}
}

// check finds the errors that agentconnecttest does not check.
func (s settings) check() error {
	var problems []error
	for _, name := range s.Faults {
		if !isFault(name) {
			problems = append(problems, fmt.Errorf("fakeproconnect: no fault is called %q; the first page lists them", name))
		}
	}
	if s.Login != "" && !slices.ContainsFunc(s.agents(), func(a agentconnecttest.Agent) bool { return a.Login == s.Login }) {
		problems = append(problems, fmt.Errorf("fakeproconnect: no agent is called %q", s.Login))
	}
	if s.Listen == "" { // net.Listen would take a random port of all interfaces
		problems = append(problems, errors.New("fakeproconnect: -listen is empty"))
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		problems = append(problems, errors.New("fakeproconnect: -tls-cert and -tls-key go together"))
	} else if s.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey); err != nil {
			problems = append(problems, fmt.Errorf("fakeproconnect: -tls-cert: %w", err))
		}
	}
	return errors.Join(problems...)
}

func isFault(name string) bool {
	return slices.ContainsFunc(agentconnecttest.Faults(), func(info agentconnecttest.FaultInfo) bool { return string(info.Fault) == name })
}

func (s settings) clients() []agentconnecttest.Client {
	var clients []agentconnecttest.Client
	for _, c := range s.Clients {
		c.IDTokenAlg = cmp.Or(c.IDTokenAlg, "RS256")
		c.UserinfoAlg = cmp.Or(c.UserinfoAlg, c.IDTokenAlg)
		clients = append(clients, agentconnecttest.Client(c))
	}
	return clients
}

// agents returns the demonstration agents, unless the file has others.
func (s settings) agents() []agentconnecttest.Agent {
	if s.Agents == nil {
		return agentconnecttest.DemoAgents()
	}
	var agents []agentconnecttest.Agent
	for _, a := range s.Agents {
		agents = append(agents, agentconnecttest.Agent(a))
	}
	return agents
}

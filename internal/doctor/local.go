package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

func (c *checkup) environment() {
	const subject = "environment"
	switch {
	case c.Environment != "":
		c.ok(subject, c.Environment+", "+c.Issuer)
	case c.Known != "":
		c.warn(subject, "the issuer given is that of "+c.Known, "Give WithEnvironment (PROCONNECT_ENVIRONMENT="+c.Known+") in place of the issuer: New then knows the environment's rules.")
	default:
		c.warn(subject, c.Issuer+" is none of the four environments of ProConnect", "For real agents give WithEnvironment (PROCONNECT_ENVIRONMENT) in place of the issuer.")
	}
}

// network reports the limits of the State's private network.
func (c *checkup) network() {
	if c.RIE {
		c.ok("RIE", "every agent has only the role agent_public, organization_label is never sent, and no code is sent by e-mail")
	}
}

// urls compares the registered URLs with the rules, and with each other.
func (c *checkup) urls() {
	c.url("redirect URL", c.RedirectURL)
	c.url("post-logout redirect URL", c.PostLogoutURL)

	const subject = "registered URLs"
	login, logout := c.RedirectURL, c.PostLogoutURL
	switch {
	case login.Scheme != logout.Scheme || login.Host != logout.Host:
		c.warn(subject, "one is on "+login.Scheme+"://"+login.Host+", the other on "+logout.Scheme+"://"+logout.Host, "Register both on the host that the agents use: cookies are not shared between hosts, so the end of a logout cannot be verified.")
	case strings.HasSuffix(login.Path, "/") != strings.HasSuffix(logout.Path, "/"):
		c.warn(subject, "one ends with a slash, the other does not: "+login.String()+", "+logout.String(), "Compare them with the registration, character by character: ProConnect does.")
	default:
		c.ok(subject, "on the same host, spelled in the same way")
	}
}

func (c *checkup) url(subject string, u *url.URL) {
	const rie = ".rie.gouv.fr"
	host := u.Hostname()
	onRIE := strings.HasSuffix(strings.ToLower(host), rie)
	switch {
	case weburl.IsLoopback(host):
		c.warn(subject, u.String()+" is on this machine", "Give the public https URL before anybody else logs in.")
	case c.RIE && !onRIE:
		c.warn(subject, u.String()+" is not under "+rie+", and the environment is the RIE's", "Check that the agents reach this name from the RIE, or take the Internet environment: the two share no registration.")
	case c.Known != "" && !c.RIE && onRIE:
		c.warn(subject, u.String()+" is under "+rie+", and the environment is the Internet's", "Take the RIE environment for a service of the RIE: the two share no registration.")
	case u.Host != strings.ToLower(u.Host) || u.Port() == "443": // only a URL of this machine can be http
		c.warn(subject, u.String()+" has capitals or the default port in its host", "Write it, and register it, as browsers do: in small letters and without the port. It is compared character by character.")
	default:
		c.ok(subject, u.String())
	}
}

func (c *checkup) cookies() {
	const subject = "cookies"
	name := c.CookieName
	if !c.SecureCookies {
		c.warn(subject, name+", without Secure and without the __Host- prefix, because the redirect URL is http", "Give an https redirect URL before opening. On localhost, applications at other ports share these cookies.")
		return
	}
	c.ok(subject, name+": Secure, HttpOnly, SameSite=Lax, for this host alone")
}

func (c *checkup) sessions() {
	const subject = "sessions"
	found := "they last " + c.Lifetime.String()
	if c.EndsAtMidnight {
		found += ", and to midnight in Paris at most"
	}
	if c.Idle > 0 {
		found += ", and end after " + c.Idle.String() + " without a request"
	}
	switch c.ApplicationStore.(type) {
	case *memstore.MemStore:
		c.warn(subject, found+"; they are in the memory of this process", "Give WithSessionStore, unless a single instance serves all and may log everybody out when it stops.")
	default:
		c.ok(subject, found)
	}
}

// storeProbeLife is how long the record of the check lives if it cannot be deleted.
const storeProbeLife = time.Minute

// store writes a record to the session store, reads it, deletes it, and checks that it
// is gone.
func (c *checkup) store(ctx context.Context) {
	const subject = "session store"
	const action = "Check the store's address, credentials, rights and free space. Every protected page needs it."
	token, record := "check "+random(), []byte(random())
	if err := c.Records.Commit(ctx, token, record, c.Now().Add(storeProbeLife)); err != nil {
		c.problem(subject, "a record cannot be written: "+err.Error(), action)
		return
	}
	got, found, findErr := c.Records.Find(ctx, token)
	deleteErr := c.Records.Delete(context.WithoutCancel(ctx), token)
	_, still, againErr := c.Records.Find(ctx, token)
	switch {
	case findErr != nil:
		c.problem(subject, "a record was written and cannot be read: "+findErr.Error(), action)
	case !found:
		c.problem(subject, "a record was written and is not found", "Logins would not last. Check whether reads go to a replica that lags behind, and whether the store is full.")
	case !bytes.Equal(got, record):
		c.problem(subject, "a record comes back changed", "Give a store that returns the bytes as they were written, and a prefix or table that nothing else writes to.")
	case deleteErr != nil:
		c.problem(subject, "a record cannot be deleted, so a logout would not end a session: "+deleteErr.Error(), action)
	case againErr != nil:
		c.problem(subject, "reading fails now and then: "+againErr.Error(), action)
	case still:
		c.problem(subject, "a record is still found after it was deleted, so a logout would not end the session at once", "Check whether reads go to a replica that lags behind.")
	default:
		c.ok(subject, "a record was written, read and deleted")
		c.durability(ctx)
	}
}

// durability asks the store, if it can tell (see WithSessionStore), whether a crash or
// a failover can bring back a session that a logout deleted.
func (c *checkup) durability(ctx context.Context) {
	const subject = "logouts"
	store, ok := c.ApplicationStore.(interface {
		Durability(context.Context) (warnings []string, err error)
	})
	if !ok {
		return
	}
	warnings, err := store.Durability(ctx)
	if err != nil {
		c.warn(subject, "whether they survive a crash of the store is unknown: "+err.Error(), "Read docs/sessions.md, and check the settings of the store.")
		return
	}
	for _, warning := range warnings {
		c.warn(subject, warning, "Read docs/sessions.md: decide whether this is acceptable, or change the settings of the store.")
	}
	if len(warnings) == 0 {
		c.ok(subject, "the store keeps a confirmed logout through a crash")
	}
}

// networkAdvice is the advice for an address that does not answer.
func (c *checkup) networkAdvice(address string) string {
	host := address
	if u, err := url.Parse(address); err == nil {
		host = u.Host
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, "443")
		}
	}
	advice := "Allow outgoing HTTPS to " + host + " (firewall, HTTPS_PROXY, DNS)"
	if c.RIE {
		advice += "; it is only reached from the RIE"
	}
	return advice + "."
}

// random returns a text that nobody can guess, as long as a state.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand would end the process
	return base64.RawURLEncoding.EncodeToString(b[:])
}

package agentconnecttest

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"regexp"
	"time"
)

// The life of the code by e-mail, and the number of tries. The real one also counts
// good tries, so an agent can only log in ten times in five minutes. Tests do not need
// that limit.
const (
	mailCodeLife  = time.Hour
	mailTries     = 10
	mailTriesTime = 5 * time.Minute
)

// mailCode is the code that was sent to one address.
type mailCode struct {
	code  string
	sent  time.Time
	tries []time.Time // the latest wrong ones, oldest first
}

// askForMailCode sends the browser to the page that asks for the code.
func (p *Provider) askForMailCode(a *Answer, i *interaction, key string, agent Agent) {
	p.mu.Lock()
	i.session, i.email = key, agent.Email()
	p.mu.Unlock()
	a.seeOther(p.issuer + pathInteraction + i.id)
}

// sentCode returns the code that was sent to an address. It sends one if there is none,
// or if the last one has expired.
func (p *Provider) sentCode(email string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	found := p.state.mailCodes[email]
	if found == nil {
		found = new(mailCode)
		p.state.mailCodes[email] = found
	}
	if found.code == "" || now.Sub(found.sent) > mailCodeLife {
		found.code, found.sent = eightDigits(), now
	}
	return found.code
}

func eightDigits() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic("agentconnecttest: no random numbers: " + err.Error()) // crypto/rand never fails on a supported system
	}
	return fmt.Sprintf("%08d", n)
}

var mailCodeForm = regexp.MustCompile(`^[0-9]{8}$`)

// receiveMailCode receives the form of that page.
func (p *Provider) receiveMailCode(a *Answer, r *http.Request, i *interaction) {
	typed := r.PostForm.Get("verify_email_token")
	if !mailCodeForm.MatchString(typed) {
		p.errorPage(a, r, "Y000400", "verify_email_token must be eight digits", nil)
		return
	}
	if problem := p.tryMailCode(i, typed); problem != "" {
		p.mailCodePage(a, r, i, problem)
		return
	}
	p.conclude(a, r, i, i.session)
}

// tryMailCode marks the session as verified by e-mail, or returns the code of the
// error.
func (p *Provider) tryMailCode(i *interaction, typed string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	found := p.state.mailCodes[i.email]
	s := p.state.sessions[i.session]
	if found == nil || s == nil {
		return "Y170003"
	}
	for len(found.tries) > 0 && now.Sub(found.tries[0]) > mailTriesTime {
		found.tries = found.tries[1:]
	}
	if len(found.tries) >= mailTries {
		return "Y170001"
	}
	if found.code != typed || now.Sub(found.sent) > mailCodeLife {
		found.tries = append(found.tries, now)
		return "Y170003"
	}
	found.code = ""
	s.auth.mail = true
	return ""
}

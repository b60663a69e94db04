package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

func TestAccountsAreFoundBySub(t *testing.T) {
	a := newAccounts()
	hook := a.hook()
	login := func(sub string) {
		t.Helper()
		// The two have one e-mail address, as one person has at two administrations.
		if err := hook(t.Context(), &agentconnect.Login{Agent: agentconnect.Agent{Sub: sub, Email: "marie.exemple@ministere.example.gouv.fr"}}); err != nil {
			t.Fatalf("login of %s: got %v, want it accepted", sub, err)
		}
	}
	since := func(sub string) string { return a.sinceOf(agentconnect.Agent{Sub: sub}).String() }
	never := since("one")
	login("one")
	first := since("one")
	if first == never || since("two") != never {
		t.Errorf("got one known since %s and two since %s, want one alone", first, since("two"))
	}
	login("one")
	login("two")
	if got := since("one"); got != first {
		t.Errorf("got %s after the second login, want %s still", got, first)
	}
	if since("two") == never {
		t.Error("got no account of the second sub, want its own")
	}
}

func TestAccountIsShown(t *testing.T) {
	p := startProvided(t)
	text := regexp.MustCompile(`Cette application vous connaît depuis le \d\d/\d\d/20\d\d à \d\d:\d\d CES?T\.`)
	if page := p.loggedIn("marie").get(p.url + "/agent"); !text.MatchString(page.body) {
		t.Errorf("got the page %s, want since when the account is known", page.body)
	}
	home := newBrowser(t).get(p.url + "/")
	if strings.Contains(home.body, "vous connaît depuis") {
		t.Errorf("got the page %s, want nothing of an account", home.body)
	}
}

func TestMoment(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	winter, summer := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC), time.Date(2026, 7, 1, 8, 5, 0, 0, time.UTC)
	for _, test := range []struct {
		lang string
		at   time.Time
		want string
	}{
		{"fr", winter, "23/11/2026 à 00:30 CET"},
		{"fr", summer, "01/07/2026 à 10:05 CEST"},
		{"en", winter, "23 November 2026 at 00:30 CET"},
	} {
		if got := (page{Lang: test.lang, Zone: paris}).Moment(test.at); got != test.want {
			t.Errorf("%s: got %q, want %q", test.lang, got, test.want)
		}
	}
}

func TestDirigeants(t *testing.T) {
	p := startProvided(t)
	b := newBrowser(t)
	p.login(b, "/dirigeants?mandat=3", "nadia").wantStatus(t, 200).wantAt(t, p.url+"/dirigeants?mandat=3").wantPage(t, agentconnect.ACRCertificationDirigeant)

	b = p.loggedIn("karim")
	p.login(b, "/dirigeants", "karim").wantStatus(t, http.StatusForbidden).wantPage(t, "assistance@demarches.example.gouv.fr")
	b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Karim")
	b.get(p.url+"/dirigeants", api()...).wantProblem(t, http.StatusForbidden, "insufficient_level")
}

func TestLoginHint(t *testing.T) {
	p := startProvided(t)
	for _, test := range []struct {
		query, want string
		status      int
	}{
		{"?login_hint=marie.exemple@ministere.example.gouv.fr", "marie.exemple@ministere.example.gouv.fr", http.StatusSeeOther},
		{"?siret_hint=99999999800019&idp_hint=x&prompt=none", "", http.StatusSeeOther}, // not open to visitors
		{"?login_hint=marie", "", http.StatusBadRequest},
	} {
		got := newBrowser(t).once(http.MethodGet, p.url+"/login"+test.query).wantStatus(t, test.status)
		if test.status != http.StatusSeeOther {
			continue
		}
		to, err := got.Location()
		if err != nil {
			t.Fatal(err)
		}
		asked := to.Query()
		if hint := asked.Get("login_hint"); hint != test.want {
			t.Errorf("%s: got the login_hint %q, want %q", test.query, hint, test.want)
		}
		for _, name := range []string{"siret_hint", "idp_hint", "prompt"} {
			if asked.Has(name) {
				t.Errorf("%s: got a %s, want none", test.query, name)
			}
		}
	}
}

// A public page that logs in who AgentConnect knows, and nobody else.
func TestPublicPage(t *testing.T) {
	p := startProvided(t)
	document := []string{"Sec-Fetch-Dest", "document", "User-Agent", "Mozilla/5.0"}

	stranger := newBrowser(t)
	stranger.get(p.url+"/public", document...).wantStatus(t, 200) // shows that the browser keeps cookies
	stranger.get(p.url+"/public", document...).wantStatus(t, 200).wantAt(t, p.url+"/public").wantPage(t, "Bienvenue")
	if len(stranger.visited) == 0 {
		t.Error("the stranger was not sent to the provider")
	}

	known := p.loggedIn("marie")
	app, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	known.Jar.SetCookies(app, []*http.Cookie{{Name: "agentconnect", Path: "/", MaxAge: -1}})
	known.get(p.url+"/").wantPage(t, "Bienvenue")
	known.get(p.url+"/public", document...).wantStatus(t, 200)
	known.get(p.url+"/public", document...).wantStatus(t, 200).wantAt(t, p.url+"/public").wantPage(t, "Bonjour")
}

package agentconnect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// newAgent makes an agent of a JSON object of claims.
func newAgent(t *testing.T, claims string) agentconnect.Agent {
	t.Helper()
	var a agentconnect.Agent
	if err := json.Unmarshal([]byte(claims), &a); err != nil {
		t.Fatalf("%s: %v", claims, err)
	}
	return a
}

// textClaims says where each claim that is text is found.
func textClaims() map[string]func(agentconnect.Agent) string {
	return map[string]func(agentconnect.Agent) string{
		"sub":                  func(a agentconnect.Agent) string { return a.Sub },
		"given_name":           func(a agentconnect.Agent) string { return a.GivenName },
		"usual_name":           func(a agentconnect.Agent) string { return a.UsualName },
		"email":                func(a agentconnect.Agent) string { return a.Email },
		"uid":                  func(a agentconnect.Agent) string { return a.UID },
		"siret":                func(a agentconnect.Agent) string { return a.SIRET },
		"siren":                func(a agentconnect.Agent) string { return a.SIREN },
		"phone_number":         func(a agentconnect.Agent) string { return a.PhoneNumber },
		"organizational_unit":  func(a agentconnect.Agent) string { return a.OrganizationalUnit },
		"belonging_population": func(a agentconnect.Agent) string { return a.BelongingPopulation },
		"chorusdt:matricule":   func(a agentconnect.Agent) string { return a.ChorusDTMatricule },
		"chorusdt:societe":     func(a agentconnect.Agent) string { return a.ChorusDTSociete },
		"idp_id":               func(a agentconnect.Agent) string { return a.IdPID },
		"idp_acr":              func(a agentconnect.Agent) string { return a.IdPACR },
		"organization_label":   func(a agentconnect.Agent) string { return a.OrganizationLabel },
		"acr":                  func(a agentconnect.Agent) string { return a.ACR },
	}
}

// Each claim of AgentConnect's table, there, null, absent and of a wrong type.
func TestAgentTextClaims(t *testing.T) {
	t.Parallel()
	for name, field := range textClaims() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := func(value string) string {
				claims := map[string]json.RawMessage{"sub": json.RawMessage(`"s"`)}
				if value != "" {
					claims[name] = json.RawMessage(value)
				}
				b, err := json.Marshal(claims)
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			const odd = `D’Œil-de-Bœuf <Ñ'Guyễn> & “Fils” 12`
			quoted, err := json.Marshal(odd)
			if err != nil {
				t.Fatal(err)
			}
			a := newAgent(t, object(string(quoted)))
			if got := field(a); got != odd {
				t.Errorf("field: got %q, want %q", got, odd)
			}
			if got := a.Claims()[name]; got != odd {
				t.Errorf("Claims: got %q, want %q", got, odd)
			}
			var text string
			if ok, err := a.Claim(name, &text); !ok || err != nil || text != odd {
				t.Errorf("Claim: got %q, %t, %v, want %q", text, ok, err, odd)
			}
			checkRoundTrip(t, a)

			for _, value := range []string{"", "null", `""`} {
				if name == "sub" {
					continue
				}
				a := newAgent(t, object(value))
				if got := field(a); got != "" {
					t.Errorf("%s: got %q, want none", value, got)
				}
				text, want, there := odd, odd, value == `""`
				if there {
					want = ""
				}
				if ok, err := a.Claim(name, &text); ok != there || err != nil || text != want {
					t.Errorf("Claim of %q: got %q, %t, %v, want %q, %t", value, text, ok, err, want, there)
				}
				checkRoundTrip(t, a)
			}
			for _, value := range []string{"12", "true", `["x"]`, `{"x":"y"}`} {
				var a agentconnect.Agent
				err := json.Unmarshal([]byte(object(value)), &a)
				if name == "acr" { // one that is no text is no level
					if err != nil || a.ACR != "" {
						t.Errorf("%s: got acr %q, %v, want none", value, a.ACR, err)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: got agent %v, error %v, want an error that names the claim", value, a, err)
				}
			}
		})
	}
}

// checkRoundTrip checks that JSON loses nothing.
func checkRoundTrip(t *testing.T, a agentconnect.Agent) {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	back := newAgent(t, string(b))
	if !reflect.DeepEqual(back.Claims(), a.Claims()) {
		t.Errorf("after JSON: got claims %v, want %v", back.Claims(), a.Claims())
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, b) {
		t.Errorf("JSON again: got %s, want %s", again, b)
	}
}

func TestAgentLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		claims     string
		roles, amr []string
		err        string // the claim that is wrong
	}{
		{`{"sub":"s"}`, nil, nil, ""},
		{`{"sub":"s","roles":null,"amr":null}`, nil, nil, ""},
		{`{"sub":"s","roles":[],"amr":[]}`, []string{}, []string{}, ""},
		{`{"sub":"s","roles":["agent_public","agent_public_etat"],"amr":["pwd","mfa"]}`, []string{"agent_public", "agent_public_etat"}, []string{"pwd", "mfa"}, ""},
		{`{"sub":"s","roles":["un rôle de demain",""]}`, []string{"un rôle de demain", ""}, nil, ""},
		{`{"sub":"s","roles":"agent_public"}`, nil, nil, "roles"},
		{`{"sub":"s","roles":["agent_public",1]}`, nil, nil, "roles"},
		{`{"sub":"s","roles":["agent_public",null]}`, nil, nil, "roles"},
		{`{"sub":"s","roles":{"agent_public":true}}`, nil, nil, "roles"},
		{`{"sub":"s","roles":[["agent_public"]]}`, nil, nil, "roles"},
		{`{"sub":"s","amr":"mfa"}`, nil, nil, ""}, // as good as none
		{`{"sub":"s","amr":["pwd",2]}`, nil, nil, ""},
	} {
		var a agentconnect.Agent
		err := json.Unmarshal([]byte(tt.claims), &a)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: got error %v, want one that names %s", tt.claims, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.claims, err)
			continue
		}
		if !reflect.DeepEqual(a.Roles, tt.roles) {
			t.Errorf("%s: got roles %#v, want %#v", tt.claims, a.Roles, tt.roles)
		}
		if !reflect.DeepEqual(a.AMR, tt.amr) {
			t.Errorf("%s: got amr %q, want %q", tt.claims, a.AMR, tt.amr)
		}
		for _, role := range tt.roles {
			if !a.HasRole(role) {
				t.Errorf("%s: got no role %q", tt.claims, role)
			}
		}
		if a.HasRole("dirigeant") || a.HasRole("agent") || a.HasRole("AGENT_PUBLIC") {
			t.Errorf("%s: got a role that is not there", tt.claims)
		}
		checkRoundTrip(t, a)
	}
}

func TestAgentAuthTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	for claim, want := range map[string]time.Time{
		`"auth_time":1795339800`:     at,
		`"auth_time":1795339800.75`:  at,
		`"auth_time":1.7953398e9`:    at,
		`"auth_time":"1795339800"`:   {},
		`"auth_time":null`:           {},
		`"auth_time":1e300`:          {},
		`"autre_chose":1795339800`:   {},
		`"auth_time":[1795339800]`:   {},
		`"auth_time":{"t":17953398}`: {},
	} {
		a := newAgent(t, `{"sub":"s",`+claim+`}`)
		if !a.AuthTime.Equal(want) || a.AuthTime.IsZero() != want.IsZero() {
			t.Errorf("%s: got %v, want %v", claim, a.AuthTime, want)
		}
		if !want.IsZero() && a.Claims()["auth_time"] != want.Unix() {
			t.Errorf("%s: got claim %v, want %d", claim, a.Claims()["auth_time"], want.Unix())
		}
		checkRoundTrip(t, a)
	}
}

// Custom can have any JSON of the identity provider, and so can any claim that
// ProConnect adds later.
func TestAgentCustom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		custom string // JSON; "": absent
		want   map[string]any
	}{
		{"", nil},
		{"null", nil},
		{`{}`, map[string]any{}},
		{`{"bureau":"D-101"}`, map[string]any{"bureau": "D-101"}},
		{`{"n":12,"grand":9007199254740993,"pi":3.14159265358979323846}`, map[string]any{"n": json.Number("12"), "grand": json.Number("9007199254740993"), "pi": json.Number("3.14159265358979323846")}},
		{`{"n":1e700,"m":-1e-700,"z":-0}`, map[string]any{"n": json.Number("1e700"), "m": json.Number("-1e-700"), "z": json.Number("-0")}}, // JSON, and no float64
		{`{"oui":true,"non":false,"rien":null}`, map[string]any{"oui": true, "non": false, "rien": nil}},
		{`{"liste":["a",1,{"b":[]}],"objet":{"c":{"d":""}}}`, map[string]any{
			"liste": []any{"a", json.Number("1"), map[string]any{"b": []any{}}}, "objet": map[string]any{"c": map[string]any{"d": ""}},
		}},
		{`{"sub":"autre","email":"autre@example","Sub":"encore"}`, map[string]any{"sub": "autre", "email": "autre@example", "Sub": "encore"}},
		{`{"a":"\",\"a\":\"{"}`, map[string]any{"a": `","a":"{`}}, // in a text, and so no member
		{`"un texte"`, nil},
		{`12`, nil},
		{`["une liste"]`, nil},
	} {
		object := `{"sub":"s","nouveau:claim":{"x":[1]}}`
		if tt.custom != "" {
			object = `{"sub":"s","custom":` + tt.custom + `,"nouveau:claim":{"x":[1]}}`
		}
		a := newAgent(t, object)
		if got := a.Custom(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.custom, got, tt.want)
		}
		if a.Sub != "s" || a.Email != "" {
			t.Errorf("%s: got sub %q, email %q: custom is not the agent", tt.custom, a.Sub, a.Email)
		}
		var added struct{ X []int }
		if ok, err := a.Claim("nouveau:claim", &added); !ok || err != nil || !slices.Equal(added.X, []int{1}) {
			t.Errorf("%s: got claim %v, %t, %v, want the new one", tt.custom, added, ok, err)
		}
		checkRoundTrip(t, a)

		// The maps are the caller's.
		clear(a.Custom())
		clear(a.Claims())
		if got := a.Custom(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v after a caller changed its own, want %v", tt.custom, got, tt.want)
		}
	}

	a := newAgent(t, `{"sub":"s","roles":["agent_public"],"amr":["pwd"]}`)
	a.Claims()["roles"].([]string)[0] = "dirigeant"
	a.Claims()["amr"].([]string)[0] = "mfa"
	if !a.HasRole("agent_public") || a.AMR[0] != "pwd" {
		t.Errorf("got roles %q, amr %q after a caller changed its own, want them as they were", a.Roles, a.AMR)
	}
}

func TestAgentClaim(t *testing.T) {
	t.Parallel()
	a := newAgent(t, `{"sub":"s","given_name":"Marie","custom":{"bureau":"D-101","anciennete":12},"roles":["agent_public"],"auth_time":1795339800,"matricule":33612345678,"mesure":1e700}`)
	type custom struct {
		Bureau     string
		Anciennete int
	}
	type otherCustom struct{ Bureau, Anciennete string }
	for _, tt := range []struct {
		name string
		v    any // a pointer
		want any
		ok   bool
		err  string // a part of it
	}{
		{"given_name", new(string), "Marie", true, ""},
		{"custom", new(custom), custom{"D-101", 12}, true, ""},
		{"roles", new([]string), []string{"agent_public"}, true, ""},
		{"auth_time", new(int64), int64(1795339800), true, ""},
		{"matricule", new(int64), int64(33612345678), true, ""},
		{"mesure", new(json.Number), json.Number("1e700"), true, ""},
		{"email", new(string), "", false, ""},
		{"Given_Name", new(string), "", false, ""},
		{"", new(string), "", false, ""},
		{"given_name", new(int), 0, false, "cannot unmarshal string into Go value of type int"},
		{"given_name", new(time.Time), time.Time{}, false, "it does not fit a *time.Time"},
		{"given_name", nil, nil, false, "Unmarshal(nil)"},
		{"custom", new(string), "", false, "cannot unmarshal object into Go value of type string"},
		{"custom", new(otherCustom), otherCustom{Bureau: "D-101"}, false, "cannot unmarshal number into Go struct field otherCustom."},
		{"matricule", new(int8), int8(0), false, "cannot unmarshal number into Go value of type int8"},
		{"mesure", new(float64), 0.0, false, "cannot unmarshal number into Go value of type float64"},
	} {
		ok, err := a.Claim(tt.name, tt.v)
		if ok != tt.ok || (err != nil) != (tt.err != "") {
			t.Errorf("Claim(%q, %T): got %t, %v, want %t, error %q", tt.name, tt.v, ok, err, tt.ok, tt.err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "agentconnect: claim "+tt.name+": ") || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("Claim(%q, %T): got error %v, want one that names the claim and says %q", tt.name, tt.v, err, tt.err)
		}
		for _, value := range []string{"Marie", "D-101", "12", "33612345678", "1e700"} {
			if err != nil && strings.Contains(err.Error(), value) {
				t.Errorf("Claim(%q, %T): got error %v, want none that shows %q", tt.name, tt.v, err, value)
			}
		}
		if tt.v != nil {
			if got := reflect.ValueOf(tt.v).Elem().Interface(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Claim(%q, %T): got %v, want %v", tt.name, tt.v, got, tt.want)
			}
		}
	}
}

// JSON that means one thing to one parser and another to the next is no agent.
func TestAgentRefusesAmbiguousJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, data, word string }{
		{"empty", ``, "not JSON"},
		{"null", `null`, "not a JSON object"},
		{"a list", `[{"sub":"s"}]`, "not a JSON object"},
		{"a text", `"s"`, "not a JSON object"},
		{"no sub", `{"email":"a@b.example"}`, "sub is missing"},
		{"a null sub", `{"sub":null}`, "sub is missing"},
		{"an empty sub", `{"sub":""}`, "sub is missing"},
		{"a sub of 256 bytes", `{"sub":"` + strings.Repeat("s", 256) + `"}`, "255 bytes"},
		{"a repeated claim", `{"sub":"s","sub":"t"}`, "is repeated"},
		{"a repeated claim, by escapes", `{"sub":"s","s\u0075b":"t"}`, "is repeated"},
		{"a repeated claim, after an escaped quotation mark", `{"sub":"s\"","sub":"t"}`, "is repeated"},
		{"sub in another case", `{"sub":"s","Sub":"t"}`, "differs by case"},
		{"email in another case", `{"sub":"s","EMAIL":"a@b.example"}`, "differs by case"},
		{"usual_name with a long s", `{"sub":"s","u\u017Fual_name":"x"}`, "differs by case"},
		{"a repeated key in custom", `{"sub":"s","custom":{"a":1,"a":2}}`, "is repeated"},
		{"something after it", `{"sub":"s"}{}`, "not JSON"},
		{"cut off", `{"sub":"s"`, "not JSON"},
		{"a comma too many", `{"sub":"s",}`, "not JSON"},
		{"not UTF-8", "{\"sub\":\"s\xff\"}", "not UTF-8"},
		{"nested too deeply", `{"sub":"s","custom":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested too deeply"},
	} {
		before := newAgent(t, `{"sub":"before"}`)
		a := before
		// Unmarshal would refuse some of them before it asks the agent.
		if err := a.UnmarshalJSON([]byte(tt.data)); err == nil || !strings.HasPrefix(err.Error(), "agentconnect: agent: ") || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("%s: got %v, error %v, want an error of ours with %q", tt.name, a, err, tt.word)
		}
		if !reflect.DeepEqual(a, before) {
			t.Errorf("%s: got %v after the error, want the agent as it was", tt.name, a)
		}
	}
	if a := newAgent(t, `{"sub":"`+strings.Repeat("s", 255)+`"}`); len(a.Sub) != 255 {
		t.Errorf("a sub of 255 bytes: got %d", len(a.Sub))
	}
	// What belongs to an answer rather than to an agent is not kept.
	a := newAgent(t, `{"sub":"s","iss":"https://provider.example","aud":"client-id","exp":1,"iat":1,"nbf":1,"jti":"x"}`)
	if got := slices.Sorted(maps.Keys(a.Claims())); !slices.Equal(got, []string{"sub"}) {
		t.Errorf("got claims %q, want sub alone", got)
	}
}

// All the provider's claims arrive: at the login, and from the store.
func TestAgentFromTheProvider(t *testing.T) {
	t.Parallel()
	scopes := agentconnecttest.SupportedScopes()
	for _, login := range []string{"marie", "zoe", "karim", "nadia"} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			var seen agentconnect.Agent
			s := newSite(t, siteConfig{}, func(s *app) http.Handler {
				s.auth = s.newAuth(agentconnect.WithScopes(scopes...))
				mux := http.NewServeMux()
				mux.Handle("/", s.auth.Handler())
				mux.Handle("/agent", s.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					seen, _ = agentconnect.AgentFrom(r.Context())
					serveAgent(w, r)
				})))
				return mux
			})
			b := s.browser()
			p := b.login("/agent", login)
			agent, _ := s.provider.Agent(login)
			for name, field := range textClaims() {
				want, _ := agent.Claims[name].(string)
				if name == "acr" {
					continue // was not asked for
				}
				if name == "idp_acr" {
					want = agent.ACR
				}
				if got := field(seen); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if want := agent.Claims["roles"].([]string); !slices.Equal(seen.Roles, want) {
				t.Errorf("roles: got %q, want %q", seen.Roles, want)
			}
			custom, err := json.Marshal(seen.Custom())
			want, wantErr := json.Marshal(agent.Claims["custom"])
			if err != nil || wantErr != nil || !bytes.Equal(custom, want) {
				t.Errorf("custom: got %s, want %s", custom, want)
			}
			if !seen.AuthTime.Equal(s.clock.Now().Truncate(time.Second)) {
				t.Errorf("auth_time: got %v, want %v", seen.AuthTime, s.clock.Now())
			}
			if again := b.fetch("/agent"); again.body != p.body {
				t.Errorf("the second request: got %s, want %s", again.body, p.body)
			}
			checkRoundTrip(t, seen)
		})
	}
}

// An agent in a log or in an error message names nobody.
func TestAgentIsSafeToPrint(t *testing.T) {
	t.Parallel()
	personal := map[string]string{
		"sub": "demo-sub-de-zoe", "given_name": "Zoé-Maëlle", "usual_name": "D'Œil-de-Bœuf", "email": "zoe.exemple@prefecture.example.gouv.fr",
		"uid": "zoe-uid-42", "phone_number": "+33 1 99 00 00 42", "siret": "00000001800010", "organizational_unit": "DEMO/SG/NUM", "chorusdt:matricule": "DEMO0042",
		"organization_label": "Préfecture de démonstration",
	}
	claims := map[string]any{"idp_id": "00000000-0000-4000-8000-000000000001", "acr": "eidas1-mfa", "custom": map[string]string{"surnom": "Zouzou"}}
	for name, v := range personal {
		claims[name] = v
	}
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, string(data))
	pseudonym := agentconnect.Pseudonym(a.Sub)
	type request struct{ Agent agentconnect.Agent }

	texts := map[string]string{"String": a.String(), "GoString": fmt.Sprintf("%#v", a)}
	for name, v := range map[string]any{
		"agent": a, "pointer": &a, "slice": []agentconnect.Agent{a}, "map": map[string]agentconnect.Agent{"x": a},
		"field": request{a}, "pointer to field": &request{a}, "error": fmt.Errorf("refused: %v", a),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			texts[name+" "+verb] = fmt.Sprintf(verb, v)
		}
	}
	for kind, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		for name, log := range map[string]func(*slog.Logger){
			"attr":    func(l *slog.Logger) { l.Info("x", "who", a) },
			"pointer": func(l *slog.Logger) { l.Info("x", "who", &a) },
			"Any":     func(l *slog.Logger) { l.LogAttrs(t.Context(), slog.LevelInfo, "x", slog.Any("who", a)) },
			"With":    func(l *slog.Logger) { l.With("who", a).WithGroup("g").Info("x") },
			"group":   func(l *slog.Logger) { l.Info("x", slog.Group("g", "who", a)) },
			"message": func(l *slog.Logger) { l.Info(fmt.Sprint("who: ", a)) },
			"error":   func(l *slog.Logger) { l.Info("x", "err", fmt.Errorf("who: %w, %v", http.ErrNoCookie, a)) },
		} {
			var b bytes.Buffer
			log(slog.New(handler(&b)))
			texts["slog "+kind+" "+name] = b.String()
		}
	}
	for name, text := range texts {
		if !strings.Contains(text, pseudonym) {
			t.Errorf("%s: got %s, want the pseudonym %s", name, text, pseudonym)
		}
		for claim, v := range personal {
			for _, shown := range []string{v, strings.Trim(fmt.Sprintf("%q", v), `"`), strings.Trim(fmt.Sprintf("%+q", v), `"`)} {
				if strings.Contains(text, shown) {
					t.Errorf("%s: the %s is in %s", name, claim, text)
				}
			}
		}
		if strings.Contains(text, "Zouzou") {
			t.Errorf("%s: custom is in %s", name, text)
		}
	}
	// What helps an operator is there.
	if got := texts["slog JSON attr"]; !strings.Contains(got, `"who":{"agent":"`+pseudonym+`","idp_id":"00000000-0000-4000-8000-000000000001","acr":"eidas1-mfa"}`) {
		t.Errorf("slog: got %s, want the pseudonym, the identity provider and the acr", got)
	}
}

// A pseudonym that changed would cut every log and metric in two.
func TestPseudonymIsStable(t *testing.T) {
	t.Parallel()
	// printf 'agentconnect sub %s' SUB | sha256sum | cut -c1-16
	if got, want := agentconnect.Pseudonym("demo-4f1c2d9e-marie"), "bc9d176405de8c88"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, sub := range []string{"", "a", "b", "A", "a ", "agentconnect sub a"} {
		p := agentconnect.Pseudonym(sub)
		if len(p) != 16 || strings.Trim(p, "0123456789abcdef") != "" {
			t.Errorf("Pseudonym(%q): got %q, want 16 hexadecimal digits", sub, p)
		}
		if other, ok := seen[p]; ok {
			t.Errorf("Pseudonym(%q): got %s, which is that of %q", sub, p, other)
		}
		seen[p] = sub
	}
}

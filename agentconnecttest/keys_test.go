package agentconnecttest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// kids lists the kid of each published key, in order.
func kids(t *testing.T, srv *agentconnecttest.Server) []string {
	t.Helper()
	_, body := open(t, newBrowser(t), srv.Issuer+"/jwks")
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

func TestJWKS(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	resp, body := open(t, newBrowser(t), srv.Issuer+"/jwks")
	if kind, cache := resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"); kind != "application/jwk-set+json; charset=utf-8" || cache != "public, max-age=600" {
		t.Errorf("got type %q, Cache-Control %q, want application/jwk-set+json, public, max-age=600", kind, cache)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, k := range set.Keys {
		types = append(types, k["kty"]+k["crv"]+" "+k["alg"]+" "+k["use"])
		for _, private := range []string{"d", "p", "q", "k"} {
			if k[private] != "" {
				t.Errorf("got %q in a published key, want public halves only", private)
			}
		}
	}
	if got := strings.Join(types, ", "); got != "ECP-256 ES256 sig, RSA RS256 sig" {
		t.Errorf("got keys %s, want an EC P-256 and an RSA one", got)
	}
}

// TestRotations goes through the ways in which keys change: what is published and
// what signs are two things.
func TestRotations(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256"} {
		for _, test := range []struct {
			name   string
			change func(srv *agentconnecttest.Server)
			want   bool // whether a relying party that fetches keys at each login accepts
		}{
			{"rotated", func(srv *agentconnecttest.Server) { srv.RotateKeys() }, true},
			{"rotated, former ones withdrawn", func(srv *agentconnecttest.Server) {
				for _, k := range srv.RotateKeys() {
					srv.WithdrawKey(k.ID)
				}
			}, true},
			{"published before it signs", func(srv *agentconnecttest.Server) { srv.PublishKey(srv.NewKey(alg)) }, true},
			{"signs before it is published", func(srv *agentconnecttest.Server) { srv.SignWith(srv.NewKey(alg)) }, false},
			{"published, then signs", func(srv *agentconnecttest.Server) {
				k := srv.NewKey(alg)
				srv.PublishKey(k)
				srv.SignWith(k)
			}, true},
			{"withdrawn, still signs", func(srv *agentconnecttest.Server) {
				k, _ := srv.SigningKey(alg)
				srv.WithdrawKey(k.ID)
			}, false},
			{"two under one kid, the other one first", func(srv *agentconnecttest.Server) {
				k, _ := srv.SigningKey(alg)
				double := srv.NewKey(alg)
				double.ID = k.ID
				srv.PublishKey(double)
			}, true},
			{"odd entries", func(srv *agentconnecttest.Server) {
				srv.AddJWK(json.RawMessage(`{"kty":"FUTURE"}`), json.RawMessage(`null`))
			}, true},
			{"odd entries, removed", func(srv *agentconnecttest.Server) {
				srv.AddJWK(json.RawMessage(`{"kty":"FUTURE"}`))
				srv.AddJWK()
			}, true},
			{"overridden", func(srv *agentconnecttest.Server) { srv.SetJWKS([]byte(`{"keys":[]}`)) }, false},
			{"overridden, then not", func(srv *agentconnecttest.Server) {
				srv.SetJWKS([]byte(`{"keys":[]}`))
				srv.SetJWKS(nil)
			}, true},
		} {
			t.Run(alg+" "+test.name, func(t *testing.T) {
				srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms(alg, alg))
				p := party{app: newApp(t, srv), timeout: 10 * time.Second}
				test.change(srv)
				if err := p.login(newBrowser(t)); (err == nil) != test.want {
					t.Errorf("got %v, want accepted: %v", err, test.want)
				}
			})
		}
	}
}

func TestRotationKeepsTheFormerKeysPublished(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	before := kids(t, srv)
	former := srv.RotateKeys()
	after := kids(t, srv)
	if len(former) != 2 || len(after) != 4 {
		t.Fatalf("got %d former keys, %d published, want 2, 4", len(former), len(after))
	}
	for _, kid := range before {
		if !slices.Contains(after, kid) {
			t.Errorf("kid %s: got it withdrawn, want it published", kid)
		}
	}
	if again := srv.RotateKeys(); again[0].ID == former[0].ID {
		t.Error("second rotation: got the first keys again, want others")
	}
}

func TestNewKeyForNoSuchAlgorithm(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	if _, err := srv.Provider.NewKey("HS256"); err == nil {
		t.Error("got no error, want one")
	}
}

func TestEmbeddedAttackerKeysAreReachable(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	for _, path := range []string{"/attacker/jwks", "/attacker/certificate"} {
		if resp, body := open(t, newBrowser(t), srv.Issuer+path); resp.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: got %d, want 200: who follows it must be caught, not saved by a 404", path, resp.StatusCode)
		}
	}
	if got := srv.Requests(agentconnecttest.Attacker); got != 2 {
		t.Errorf("got %d requests counted, want 2", got)
	}
}

func TestKeysOfTheTest(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	own := kids(t, srv)
	srv.AddJWK([]byte(`{"kid":"first"}`))
	srv.AddJWK([]byte(`{"kid":"second"}`), []byte(`{"kid":"third"}`))
	if got, want := kids(t, srv), append([]string{"first", "second", "third"}, own...); !slices.Equal(got, want) {
		t.Errorf("got keys %q, want %q", got, want)
	}
	srv.AddJWK()
	if got := kids(t, srv); !slices.Equal(got, own) {
		t.Errorf("after AddJWK without arguments: got keys %q, want %q", got, own)
	}
	srv.SetJWKS([]byte(`{"keys":[{"kid":"only"}]}`))
	if got := kids(t, srv); !slices.Equal(got, []string{"only"}) {
		t.Errorf("after SetJWKS: got keys %q, want only", got)
	}
	srv.SetJWKS(nil)
	if got := kids(t, srv); !slices.Equal(got, own) {
		t.Errorf("after SetJWKS(nil): got keys %q, want %q", got, own)
	}
	for _, alg := range []string{"RS256", "ES256"} {
		if first, second := srv.NewKey(alg), srv.NewKey(alg); first.ID == second.ID {
			t.Errorf("NewKey(%s) twice: got one key, want two", alg)
		}
	}
}

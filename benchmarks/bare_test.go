package benchmarks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// bareLogin is what no login can do without: the two exchanges and the two
// signature checks. It checks no state, no claim, and keeps nobody logged in.
func bareLogin(_ testing.TB, p *provider) (login, callback http.Handler) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 64, MaxIdleConnsPerHost: 64}}
	login = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", p.issuer+"/authorize?state=s&nonce=n")
		w.WriteHeader(http.StatusSeeOther)
	})
	callback = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := bareExchanges(client, p, r.URL.Query().Get("code")); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusSeeOther)
	})
	return login, callback
}

func bareExchanges(client *http.Client, p *provider, code string) error {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURL},
		"client_id": {clientID}, "client_secret": {clientSecret},
	}
	req, err := http.NewRequest(http.MethodPost, p.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body, err := read(client, req)
	if err != nil {
		return err
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := json.Unmarshal(body, &tokens); err != nil {
		return err
	}
	if err := verify(p, tokens.IDToken); err != nil {
		return err
	}
	req, err = http.NewRequest(http.MethodGet, p.issuer+"/userinfo", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	if body, err = read(client, req); err != nil {
		return err
	}
	return verify(p, string(body))
}

func read(client *http.Client, req *http.Request) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the provider answers %d", res.StatusCode)
	}
	return io.ReadAll(res.Body)
}

func verify(p *provider, token string) error {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{p.alg})
	if err != nil {
		return err
	}
	_, err = jws.Verify(&p.key.PublicKey)
	return err
}

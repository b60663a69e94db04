package benchmarks

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// zitadelLogin is the relying party of zitadel/oidc as its example sets it up:
// state and PKCE in encrypted cookies. It sends no nonce unless the application
// makes one, reads no signed userinfo, and has no session: what its callback gets,
// the application keeps as it likes, so this one keeps nothing.
func zitadelLogin(tb testing.TB, p *provider) (login, callback http.Handler) {
	tb.Helper()
	key := []byte("a demonstration key of 32 bytes.")
	cookies := httphelper.NewCookieHandler(key, key, httphelper.WithUnsecure())
	party, err := rp.NewRelyingPartyOIDC(tb.Context(), p.issuer, clientID, clientSecret, redirectURL, scopes(),
		rp.WithCookieHandler(cookies), rp.WithPKCE(cookies), rp.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		tb.Fatal(err)
	}
	done := func(w http.ResponseWriter, r *http.Request, _ *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, _ *oidc.UserInfo) {
		http.Redirect(w, r, "/", http.StatusFound)
	}
	return rp.AuthURLHandler(rand.Text, party), rp.CodeExchangeHandler(rp.UserinfoCallback(done), party)
}

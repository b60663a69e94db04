package agentconnecttest

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
)

// The headers jku and x5u of an attacker's token point to these pages. No client should
// ever open them; [Attacker] counts the requests.
const (
	pathAttackerJWKS = "/attacker/jwks"
	pathAttackerX5U  = "/attacker/certificate"
)

func (p *Provider) serveAttackerJWKS(a *Answer, _ *http.Request) {
	a.json(http.StatusOK, Members{{"keys", []json.RawMessage{
		p.keys.attacker["RS256"].JWK(), p.keys.attacker["ES256"].JWK(),
	}}})
}

func (p *Provider) serveAttackerCertificate(a *Answer, _ *http.Request) {
	der := certificate(p.keys.attacker["RS256"])
	a.write(http.StatusOK, "application/pem-certificate-chain", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

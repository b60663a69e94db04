package oidcprovider

import (
	"encoding/json"
)

// DefaultScope has the scopes that every service provider gets.
const DefaultScope = "openid given_name usual_name email uid siret idp_id roles organization_label"

// Client is the registration of a service provider or a resource server.
type Client struct {
	// ID and Secret are the client_id and client_secret. The key of HS256 is the secret's bytes.
	ID, Secret string

	// RedirectURIs are compared exactly. Any http or https URL is accepted, localhost
	// included. A client without any is a resource server: it can introspect tokens,
	// but not log agents in.
	RedirectURIs []string

	// PostLogoutRedirectURIs are compared exactly.
	PostLogoutRedirectURIs []string

	// Scope is the list of scopes that the client may request, separated by spaces.
	// Default: [DefaultScope].
	Scope string

	// IDTokenAlg is id_token_signed_response_alg: RS256 (the default), ES256 or HS256.
	IDTokenAlg string

	// UserinfoAlg is userinfo_signed_response_alg: RS256, ES256, HS256, or "" for plain JSON.
	UserinfoAlg string

	// IntrospectionAlg is introspection_signed_response_alg: RS256, ES256, HS256, or "" for JSON. The
	// engine signs only if the request accepts application/token-introspection+jwt and
	// not JSON.
	IntrospectionAlg string
}

// MarshalJSON writes the metadata of OpenID Connect Dynamic Client Registration 1.0, section 2.
func (c Client) MarshalJSON() ([]byte, error) {
	metadata := map[string]any{
		"client_id":                 c.ID,
		"client_secret":             c.Secret,
		"redirect_uris":             append([]string{}, c.RedirectURIs...),
		"post_logout_redirect_uris": append([]string{}, c.PostLogoutRedirectURIs...),
		"scope":                     c.Scope,
	}
	if c.Scope == "" {
		metadata["scope"] = DefaultScope
	}
	if len(c.RedirectURIs) == 0 {
		metadata["response_types"] = []string{}
		metadata["grant_types"] = []string{}
	}
	for name, alg := range map[string]string{
		"id_token_signed_response_alg":      c.IDTokenAlg,
		"userinfo_signed_response_alg":      c.UserinfoAlg,
		"introspection_signed_response_alg": c.IntrospectionAlg,
	} {
		if alg != "" {
			metadata[name] = alg
		}
	}
	return json.Marshal(metadata)
}

// Agent is a person who can log in.
type Agent struct {
	// Sub is the stable identifier, by which [Provider.Login] chooses the agent.
	Sub string `json:"sub"`

	// ACR is the level of their identity provider. A level that ProConnect does not
	// list counts as eidas1.
	ACR string `json:"acr"`

	// AMR are their authentication methods.
	AMR []string `json:"amr,omitempty"`

	// Claims are all other claims, under their names in userinfo. idp_hint is compared
	// with idp_id, and login_hint with email.
	Claims map[string]any `json:"claims,omitempty"`
}

// Agents returns the demonstration agents: "camille", an agent of the State with every claim, and
// "sacha", of a private company, with few claims and no role. They have different idp_ids.
func Agents() []Agent {
	return []Agent{
		{
			Sub: "camille",
			ACR: "eidas1",
			AMR: []string{"pwd"},
			Claims: map[string]any{
				"given_name":           "Camille Noëlle",
				"usual_name":           "Démonstration",
				"email":                "camille.demonstration@ministere.example.gouv.fr",
				"uid":                  "cdemonstration",
				"siret":                "99999999800019",
				"siren":                "999999998",
				"phone_number":         "+33 1 99 00 00 00",
				"organizational_unit":  "Bureau des démonstrations",
				"belonging_population": "agent",
				"chorusdt:matricule":   "DEMO123",
				"chorusdt:societe":     "DEMO",
				"idp_id":               "11111111-1111-4111-8111-111111111111",
				"idp_acr":              "eidas1",
				"roles":                []string{"agent_public", "agent_public_etat"},
				"organization_label":   "Ministère de la démonstration",
				"custom":               map[string]any{"grade": "A+", "habilitations": []string{"lecture"}, "chef": true},
			},
		},
		{
			Sub: "sacha",
			ACR: "eidas1",
			AMR: []string{"pwd"},
			Claims: map[string]any{
				"given_name":   "Sacha",
				"usual_name":   "Exemple",
				"email":        "sacha.exemple@entreprise.example",
				"uid":          "sexemple",
				"siret":        "88888888000018",
				"phone_number": nil,
				"idp_id":       "22222222-2222-4222-8222-222222222222",
				"idp_acr":      "eidas1",
				"roles":        []string{},
			},
		},
	}
}

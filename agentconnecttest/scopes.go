package agentconnecttest

import "slices"

type scopeClaims struct {
	scope  string
	claims []string
}

func scopeTable() []scopeClaims {
	return []scopeClaims{
		{"openid", []string{"sub"}},
		{"given_name", []string{"given_name"}},
		{"usual_name", []string{"usual_name"}},
		{"email", []string{"email"}},
		{"uid", []string{"uid"}},
		{"siret", []string{"siret"}},
		{"siren", []string{"siren"}},
		{"phone", []string{"phone_number"}},
		{"organizational_unit", []string{"organizational_unit"}},
		{"belonging_population", []string{"belonging_population"}},
		{"chorusdt", []string{"chorusdt:matricule", "chorusdt:societe"}},
		{"idp_id", []string{"idp_id"}},
		{"idp_acr", []string{"idp_acr"}},
		{"roles", []string{"roles"}},
		{"organization_label", []string{"organization_label"}},
		{"groups", []string{"groups"}},
		{"amr", []string{"amr"}},
		{"custom", []string{"custom"}},
		{"lasuite_visio", []string{"lasuite_visio"}},
		{"lasuite_visio:rooms:create", []string{"lasuite_visio:rooms:create"}},
		{"lasuite_visio:rooms:list", []string{"lasuite_visio:rooms:list"}},
		{"lasuite_visio:rooms:retrieve", []string{"lasuite_visio:rooms:retrieve"}},
		{"lasuite_visio:rooms:update", []string{"lasuite_visio:rooms:update"}},
		{"lasuite_visio:rooms:delete", []string{"lasuite_visio:rooms:delete"}},
	}
}

// SupportedScopes returns the scopes that the provider knows, "openid" first. Any
// other scope in a request is dropped without an error.
func SupportedScopes() []string {
	var scopes []string
	for _, row := range scopeTable() {
		scopes = append(scopes, row.scope)
	}
	return scopes
}

func supportedClaims() []string {
	var claims []string
	for _, row := range scopeTable() {
		claims = append(claims, row.claims...)
	}
	return append(claims, "acr", "sid", "auth_time", "iss")
}

// claimsOf lists the claims of the scopes, in the order of the table.
func claimsOf(scopes []string) []string {
	var claims []string
	for _, row := range scopeTable() {
		if slices.Contains(scopes, row.scope) {
			claims = append(claims, row.claims...)
		}
	}
	return claims
}

const (
	acrEIDAS0    = "eidas0"
	acrEIDAS0MFA = "eidas0-mfa"
	acrEIDAS1    = "eidas1"
	acrEIDAS1MFA = "eidas1-mfa"
	acrEIDAS2    = "eidas2"
	acrEIDAS3    = "eidas3"
	acrDirigeant = "https://proconnect.gouv.fr/assurance/certification-dirigeant"
)

func supportedACRs() []string {
	return []string{acrEIDAS0, acrEIDAS0MFA, acrEIDAS1, acrEIDAS1MFA, acrEIDAS2, acrEIDAS3, acrDirigeant}
}

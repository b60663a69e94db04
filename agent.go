package agentconnect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// An Agent is a public agent who logged in: the claims of the userinfo, as
// ProConnect's documentation lists them for each scope (donnees_fournies), and the
// level of the login from the ID token. A claim that was not requested, or that the
// agent's administration does not give, is the zero value.
//
// Its String and LogValue methods show a pseudonym of the sub, so an Agent in a log or
// in a %v shows neither a name nor an e-mail. Inside another value it is not safe:
// slog's JSON handler encodes a struct or a slice with MarshalJSON, which writes all
// claims, and %v of a struct prints its unexported fields.
type Agent struct {
	// Sub identifies the agent, the same at every service. It is the key for
	// accounts, at most 255 bytes, never empty. The same person with another identity
	// provider usually has another sub. There is one exception: an agent of ProConnect
	// Identité keeps the sub if their administration gets its own identity provider and
	// the e-mail address stays the same.
	Sub string
	// GivenName is all the first names, separated by spaces (scope given_name).
	GivenName string
	// UsualName is the last name in use (scope usual_name).
	UsualName string
	// Email is the professional e-mail address (scope email). Its case and its value
	// can change, and it may be unverified: do not use it as a key for accounts.
	Email string
	// UID is the agent's identifier at the identity provider (scope uid).
	UID string
	// SIRET is the agent's establishment, 14 digits (scope siret).
	SIRET string
	// SIREN is the agent's organisation, 9 digits, as the identity provider
	// gives it (scope siren). It can contradict the SIRET.
	SIREN string
	// PhoneNumber has no fixed format (scope phone).
	PhoneNumber string
	// OrganizationalUnit is free text (scope organizational_unit).
	OrganizationalUnit string
	// BelongingPopulation is free text: agent, prestataire, partenaire,
	// stagiaire… (scope belonging_population).
	BelongingPopulation string
	// ChorusDTMatricule and ChorusDTSociete are the claims chorusdt:matricule
	// and chorusdt:societe (scope chorusdt).
	ChorusDTMatricule, ChorusDTSociete string
	// IdPID identifies the agent's identity provider (scope idp_id). One
	// administration can have two: on the Internet and on the RIE.
	IdPID string
	// IdPACR is the raw acr of the identity provider (scope idp_acr). It does not prove
	// a level; use ACR.
	IdPACR string
	// Roles are the roles of the person (scope roles): RoleAgentPublic and others. It
	// is empty, not nil, for a person without a role, and if ProConnect's lookup
	// failed. It is nil if there is no such claim. On the RIE it is always
	// RoleAgentPublic alone.
	Roles []string
	// OrganizationLabel is the display name of the organisation of the SIRET
	// (scope organization_label). The RIE never sends it.
	OrganizationLabel string

	// ACR is the level of this login, from the ID token: [ACREIDAS1] and others.
	// It is only set if the login asked for a level.
	ACR string
	// AMR is how the agent was authenticated, from the ID token: pwd (password), mail
	// (code by e-mail), otp (one-time code), pin, hwk and swk (a key in hardware, in
	// software), pop (proof of a key), mfa (several factors), and others. It is only
	// set with [WithAMR].
	AMR []string
	// AuthTime is the time of this login at the provider, from the ID token,
	// to the second. It does not prove when the agent really authenticated.
	AuthTime time.Time

	// extra is the JSON object of the claims without a field: "custom" and others. ""
	// if there are none.
	extra string
	// empty has a bit for each claim of textClaimNames that is present and "".
	empty uint32
}

// The roles that the claim roles can contain. ProConnect computes the first three
// today; the others are announced.
const (
	RoleAgentPublic            = "agent_public"
	RoleAgentPublicEtat        = "agent_public_etat"
	RoleAgentPublicTerritorial = "agent_public_territorial"
	RoleAgentPublicHospitalier = "agent_public_hospitalier"
	RoleAgentPublicL1003       = "agent_public_L100-3"
	RoleDirigeant              = "dirigeant"
)

// textClaimCount is the number of claims that are text and have a field.
const textClaimCount = 16

// textClaimNames returns the names of the claims that are text, and texts their fields,
// in the order of the session record. If you change the order, change recordVersion.
func textClaimNames() [textClaimCount]string {
	return [...]string{
		"sub", "given_name", "usual_name", "email", "uid", "siret", "siren", "phone_number",
		"organizational_unit", "belonging_population", "chorusdt:matricule", "chorusdt:societe",
		"idp_id", "idp_acr", "organization_label", "acr",
	}
}

func (a *Agent) texts() [textClaimCount]*string {
	return [...]*string{
		&a.Sub, &a.GivenName, &a.UsualName, &a.Email, &a.UID, &a.SIRET, &a.SIREN, &a.PhoneNumber,
		&a.OrganizationalUnit, &a.BelongingPopulation, &a.ChorusDTMatricule, &a.ChorusDTSociete,
		&a.IdPID, &a.IdPACR, &a.OrganizationLabel, &a.ACR,
	}
}

// HasRole reports whether one of the roles is role.
func (a Agent) HasRole(role string) bool { return slices.Contains(a.Roles, role) }

// Claim decodes the claim with that name into v, a pointer as encoding/json takes it.
// It finds all claims of the userinfo, with or without a field, "custom" included. If
// the agent has no such claim, it returns false and does not change v. If the claim
// does not fit v, it returns an error.
func (a Agent) Claim(name string, v any) (bool, error) {
	value, ok := a.Claims()[name]
	if !ok {
		return false, nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return false, fmt.Errorf("agentconnect: claim %s: %w", name, err)
	}
	if err := strictjson.Raw(raw).Decode(v); err != nil {
		return false, fmt.Errorf("agentconnect: claim %s: %w", name, err)
	}
	return true, nil
}

// Custom returns the claim custom (scope custom): data of the agent's identity provider
// besides ProConnect's claims, of any JSON types, with numbers as json.Number. It is
// nil if there is none, or if it is not an object. The caller owns the map.
func (a Agent) Custom() map[string]any {
	custom, _ := a.Claims()["custom"].(map[string]any)
	return custom
}

// Claims returns all the claims of the agent, under their names in the provider's
// answers, including acr, amr and auth_time of the ID token. Numbers are json.Number,
// auth_time is an int64. The caller owns the map. It never contains a token.
func (a Agent) Claims() map[string]any {
	claims := map[string]any{}
	if a.extra != "" {
		// It is valid: it was decoded before.
		extra, _ := strictjson.Parse([]byte(a.extra))
		for name, raw := range extra.All() {
			claims[name] = raw.Value()
		}
	}
	names := textClaimNames()
	for i, text := range a.texts() {
		if *text != "" || a.empty&(1<<i) != 0 {
			claims[names[i]] = *text
		}
	}
	if a.Roles != nil {
		claims["roles"] = slices.Clone(a.Roles)
	}
	if a.AMR != nil {
		claims["amr"] = slices.Clone(a.AMR)
	}
	if !a.AuthTime.IsZero() {
		claims["auth_time"] = a.AuthTime.Unix()
	}
	return claims
}

// MarshalJSON returns the object of [Agent.Claims].
func (a Agent) MarshalJSON() ([]byte, error) { return json.Marshal(a.Claims()) }

// UnmarshalJSON makes an agent of an object of claims, as MarshalJSON writes
// it. It is for the tests of an application, with [ContextWithAgent]. Text claims must
// be text or null, sub must be present, and a repeated claim is an error.
func (a *Agent) UnmarshalJSON(data []byte) error {
	claims, err := strictjson.Parse(data)
	if err != nil {
		return fmt.Errorf("agentconnect: agent: %w", err)
	}
	agent, err := agentFromClaims(claims)
	if err != nil {
		return fmt.Errorf("agentconnect: agent: %w", err)
	}
	agent.setAuthentication(claims)
	*a = agent
	return nil
}

// agentFromClaims makes an agent from the claims of a userinfo. It leaves out the
// claims about the answer (iss, aud, exp, iat…), and acr, amr and auth_time, which only
// the ID token proves.
func agentFromClaims(claims strictjson.Object) (Agent, error) {
	var a Agent
	names, texts := textClaimNames(), a.texts()
	for i, name := range names {
		if name == "acr" {
			continue
		}
		text, err := claims.Text(name)
		if err != nil {
			return Agent{}, err
		}
		*texts[i] = text
		if text == "" && hasText(claims, name) {
			a.empty |= 1 << i
		}
	}
	if err := provider.CheckSub(a.Sub); err != nil {
		return Agent{}, err
	}
	roles, err := claims.Texts("roles")
	if err != nil {
		return Agent{}, err
	}
	a.Roles = roles
	if _, err := claims.Get("custom"); err != nil {
		return Agent{}, err
	}
	extra := map[string]strictjson.Raw{}
	for name, raw := range claims.All() {
		switch name {
		case "iss", "aud", "exp", "iat", "nbf", "jti", "acr", "amr", "auth_time", "roles":
		default:
			if !slices.Contains(names[:], name) {
				extra[name] = raw
			}
		}
	}
	if len(extra) > 0 {
		raw, err := json.Marshal(extra)
		if err != nil {
			return Agent{}, fmt.Errorf("claims: %w", err)
		}
		a.extra = string(raw)
	}
	return a, nil
}

// hasText reports whether a claim is present and is text.
func hasText(claims strictjson.Object, name string) bool {
	raw, err := claims.Get(name)
	return err == nil && strings.HasPrefix(string(raw), `"`)
}

// setAuthentication takes acr, amr and auth_time from the claims of an ID token. It
// ignores a claim of another type: an acr that is a list is not a level.
func (a *Agent) setAuthentication(idToken strictjson.Object) {
	a.ACR, _ = idToken.Text("acr")
	if a.ACR == "" && hasText(idToken, "acr") {
		a.empty |= emptyACR
	}
	a.AMR, _ = idToken.Texts("amr")
	// The record keeps 0 for an absent time, and nobody logged in in 1970.
	if t, _, err := idToken.Time("auth_time"); err == nil && t.Unix() != 0 {
		a.AuthTime = t
	}
}

// Pseudonym returns a name for a sub that can be logged: the first 64 bits of its
// SHA-256, in hexadecimal. The same sub always has the same pseudonym. A person who
// knows a sub can compute it.
func Pseudonym(sub string) string {
	sum := sha256.Sum256([]byte("agentconnect sub " + sub))
	return hex.EncodeToString(sum[:8])
}

// String returns "agent " and the agent's pseudonym.
func (a Agent) String() string { return "agent " + Pseudonym(a.Sub) }

// Format writes the result of String, for every verb.
func (a Agent) Format(s fmt.State, verb rune) { formatText(s, verb, a.String()) }

// LogValue logs the agent's pseudonym, the identity provider and the acr. It logs
// nothing that identifies the person.
func (a Agent) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("agent", Pseudonym(a.Sub)),
		slog.String("idp_id", a.IdPID),
		slog.String("acr", a.ACR),
	)
}

// The bits of acr, roles and amr in empty.
const (
	emptyACR = 1 << (textClaimCount - 1 + iota) // the last of textClaimNames
	emptyRoles
	emptyAMR
)

package agentconnect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// An Agent is a public agent who logged in: the claims of the userinfo, as
// AgentConnect's documentation lists them for each scope (donnees_fournies), and
// the level of the login from the ID token. A claim that was not asked for, or
// that the agent's administration does not give, is the zero value.
//
// Its String and LogValue methods show a pseudonym of the sub alone, so that
// an Agent in a log or in a %v leaks neither a name nor an e-mail. Inside another
// value of the application it is not safe: slog's JSON handler encodes a struct or
// a slice with MarshalJSON, which is the whole agent, and %v of a struct prints its
// unexported fields as they are.
type Agent struct {
	// Sub identifies the agent, the same at every service. It is the key for
	// accounts, at most 255 bytes, never empty. The same person through another
	// identity provider mostly has another one: only an agent of ProConnect Identité
	// whose administration gets an identity provider of its own, and who keeps the
	// same e-mail address there, keeps it.
	Sub string
	// GivenName is all the first names, separated by spaces (scope given_name).
	GivenName string
	// UsualName is the last name in use (scope usual_name).
	UsualName string
	// Email is the professional e-mail address (scope email). Its case and its
	// value change, and nothing says that it was verified: no key for accounts.
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
	// IdPACR is the raw acr that the identity provider gave (scope idp_acr). It
	// is no proof of a level: ACR is.
	IdPACR string
	// Roles says what the person is (scope roles): RoleAgentPublic and others. It is
	// empty and not nil for others, and when ProConnect's look-up failed; nil when
	// there is no such claim. On the RIE it always is RoleAgentPublic alone.
	Roles []string
	// OrganizationLabel is the display name of the organisation of the SIRET
	// (scope organization_label). It is never there on the RIE.
	OrganizationLabel string

	// ACR is the level of this login, from the ID token: [ACREIDAS1] and others.
	// It is there only when the login asked for a level.
	ACR string
	// AMR is how the agent was authenticated, from the ID token: pwd (password), mail
	// (code by e-mail), otp (one-time code), pin, hwk and swk (a key in hardware, in
	// software), pop (proof of a key), mfa (several factors), and others. It is there
	// only when it was asked for: [WithAMR].
	AMR []string
	// AuthTime is the time of this login at the provider, from the ID token,
	// to the second. It proves nothing about the age of the agent's real
	// authentication.
	AuthTime time.Time

	// extra is the JSON object of the claims that have no field: "custom" and
	// whatever else the userinfo has. "" when there are none.
	extra string
	// empty has a bit for each claim of textClaimNames that is there and "".
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

// textClaimNames returns the names of the claims that are text, and texts
// their fields, in the order in which the session record keeps them: a change of
// it is a new version of the record.
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

// Claim decodes the claim of that name into v, a pointer as encoding/json
// takes it: whatever the userinfo holds, with or without a field of its own,
// "custom" among them. It returns false, and leaves v alone, when the agent has
// no such claim, and an error when it does not fit v.
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

// Custom returns the claim custom: what the agent's identity provider sent
// beyond the claims of AgentConnect (scope custom), of any JSON types, numbers as
// json.Number. It is nil when there is none, or when it is not an object. The map
// is the caller's.
func (a Agent) Custom() map[string]any {
	custom, _ := a.Claims()["custom"].(map[string]any)
	return custom
}

// Claims returns every claim that the agent has, under its name in the
// provider's answers, acr, amr and auth_time of the ID token included. Numbers
// are json.Number, auth_time is an int64. The map is the caller's. There is never
// a token in it.
func (a Agent) Claims() map[string]any {
	claims := map[string]any{}
	if a.extra != "" {
		// Valid by construction: it was decoded once already.
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
// it: for the tests of an application, with [ContextWithAgent]. Text claims must
// be text or null, sub must be there, a repeated claim is an error.
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

// agentFromClaims makes an agent of the claims of a userinfo. What belongs to
// the answer rather than to the agent (iss, aud, exp, iat…) is left out, and so
// are acr, amr and auth_time, which only the ID token proves.
func agentFromClaims(claims strictjson.Object) (Agent, error) {
	var a Agent
	extra := maps.Collect(claims.All())
	for _, name := range []string{"iss", "aud", "exp", "iat", "nbf", "jti", "acr", "amr", "auth_time"} {
		delete(extra, name)
	}
	texts := a.texts()
	for i, name := range textClaimNames() {
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
		delete(extra, name)
	}
	if err := provider.CheckSub(a.Sub); err != nil {
		return Agent{}, err
	}
	roles, err := claims.Texts("roles")
	if err != nil {
		return Agent{}, err
	}
	a.Roles = roles
	delete(extra, "roles")
	if _, err := claims.Get("custom"); err != nil {
		return Agent{}, err
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

// hasText reports whether a claim is there, and text.
func hasText(claims strictjson.Object, name string) bool {
	raw, err := claims.Get(name)
	return err == nil && strings.HasPrefix(string(raw), `"`)
}

// setAuthentication takes acr, amr and auth_time from the claims of an ID
// token. One of another type is as good as none: an acr that is a list is no
// level.
func (a *Agent) setAuthentication(idToken strictjson.Object) {
	a.ACR, _ = idToken.Text("acr")
	if a.ACR == "" && hasText(idToken, "acr") {
		a.empty |= emptyACR
	}
	a.AMR, _ = idToken.Texts("amr")
	a.AuthTime, _, _ = idToken.Time("auth_time")
}

// Pseudonym returns a name for a sub that can be logged: the first 64 bits of
// its SHA-256, in hexadecimal. The same sub always has the same one; who already
// knows a sub can recognise it.
func Pseudonym(sub string) string {
	sum := sha256.Sum256([]byte("agentconnect sub " + sub))
	return hex.EncodeToString(sum[:8])
}

// String returns "agent " and the agent's pseudonym.
func (a Agent) String() string { return "agent " + Pseudonym(a.Sub) }

// Format writes what String returns, whatever the verb.
func (a Agent) Format(s fmt.State, verb rune) { formatText(s, verb, a.String()) }

// LogValue logs the agent's pseudonym, the identity provider and the acr, and
// nothing that names the person.
func (a Agent) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("agent", Pseudonym(a.Sub)),
		slog.String("idp_id", a.IdPID),
		slog.String("acr", a.ACR),
	)
}

// The bits of acr, roles and amr among the claims that are there and empty.
const (
	emptyACR = 1 << (textClaimCount - 1 + iota) // the last of textClaimNames
	emptyRoles
	emptyAMR
)

package wording

import "strings"

// certification is the acr of the certification dirigeant.
const certification = "https://proconnect.gouv.fr/assurance/certification-dirigeant"

// A Phrase is a part of a sentence in both languages.
type Phrase struct{ French, English string }

// Role describes a person with a role of ProConnect. It returns the zero Phrase for an
// unknown role.
func Role(role string) Phrase {
	switch role {
	case "agent_public":
		return Phrase{"un agent public", "a public agent"}
	case "agent_public_etat":
		return Phrase{"un agent public de l’État", "a public agent of the State"}
	case "agent_public_territorial":
		return Phrase{"un agent public territorial", "a public agent of a local authority"}
	case "agent_public_hospitalier":
		return Phrase{"un agent public hospitalier", "a public agent of a hospital"}
	case "agent_public_L100-3":
		return Phrase{"un agent d’un organisme chargé d’une mission de service public", "an agent of a body that is charged with a public service"}
	case "dirigeant":
		return Phrase{"une personne qui dirige une organisation", "a person who heads an organisation"}
	}
	return Phrase{}
}

// IsCertification reports whether a login demands the certification dirigeant alone.
func IsCertification(acr []string) bool { return len(acr) == 1 && acr[0] == certification }

// Level describes a list of acr values.
func Level(acr []string) Phrase {
	switch strings.Join(acr, " ") {
	case "eidas0-mfa eidas1-mfa eidas2 eidas3":
		return Phrase{"une connexion avec plusieurs facteurs d’authentification (mot de passe et code, carte agent…)", "a login with several authentication factors (password and code, agent card…)"}
	case "eidas1 eidas1-mfa eidas2 eidas3":
		return Phrase{"une connexion de niveau eIDAS 1 (faible) au moins", "a login at eIDAS level 1 (low) or higher"}
	case "eidas2 eidas3":
		return Phrase{"une connexion de niveau eIDAS 2 (substantiel) au moins", "a login at eIDAS level 2 (substantial) or higher"}
	case "eidas3":
		return Phrase{"une connexion de niveau eIDAS 3 (élevé)", "a login at eIDAS level 3 (high)"}
	case certification:
		return Phrase{"la certification que vous représentez légalement votre organisation", "the certification that you legally represent your organisation"}
	}
	var french, english []string
	for _, value := range acr {
		level, mfa := strings.CutSuffix(strings.Replace(value, "eidas", "eIDAS ", 1), "-mfa")
		switch {
		case value == certification:
			french, english = append(french, "dirigeant certifié"), append(english, "certified company head")
		case mfa:
			french, english = append(french, level+" avec plusieurs facteurs"), append(english, level+" with several factors")
		default:
			french, english = append(french, level), append(english, level)
		}
	}
	return Phrase{"une connexion de niveau " + strings.Join(french, " ou "), "a login at the level " + strings.Join(english, " or ")}
}

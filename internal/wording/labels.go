package wording

import (
	"strings"
	"time"
	"unicode"
)

// PageWords returns the labels that all pages use, by their names in templates.
func PageWords(lang string) map[string]string {
	if lang == "en" {
		return map[string]string{
			"LogIn":   "Log in again",
			"Home":    "Home page",
			"Demands": "What is demanded here:",
			"Support": "Information for support",
			"Contact": "If you need help:",
			"Copy":    "All of it, to be copied",
			"CopyHow": "Select the whole text, and copy it into your message:",
		}
	}
	return map[string]string{
		"LogIn":   "Se connecter de nouveau",
		"Home":    "Page d’accueil",
		"Demands": "Ce qui est demandé ici :",
		"Support": "Informations pour l’assistance",
		"Contact": "Si vous avez besoin d’aide :",
		"Copy":    "Toutes les informations, à copier",
		"CopyHow": "Sélectionnez tout le texte, puis copiez-le dans votre message :",
	}
}

// Labels are the texts of some pages, and the names of the details for support.
type Labels struct {
	LogOut, WantLogOut, OtherAccount                             string
	Error, Number, Time                                          string
	Service, Provider, Environment, AuthorizeURL, ProviderAnswer string
	Colon                                                        string // after a name
}

// LabelsIn returns the labels in a language.
func LabelsIn(lang string) Labels {
	if lang == "en" {
		return Labels{
			LogOut:         "Log out",
			WantLogOut:     "Do you want to log out of this service and of ProConnect?",
			OtherAccount:   "Log in with another account",
			Error:          "Error",
			Number:         "Number",
			Time:           "Time",
			Service:        "Service (client_id)",
			Provider:       "Provider",
			Environment:    "Environment",
			AuthorizeURL:   "Authorization URL",
			ProviderAnswer: "The provider’s answer (unverified text)",
			Colon:          ": ",
		}
	}
	return Labels{
		LogOut:         "Se déconnecter",
		WantLogOut:     "Voulez-vous vous déconnecter de ce service et de ProConnect ?",
		OtherAccount:   "Se connecter avec un autre compte",
		Error:          "Erreur",
		Number:         "Numéro",
		Time:           "Heure",
		Service:        "Service (client_id)",
		Provider:       "Fournisseur",
		Environment:    "Environnement",
		AuthorizeURL:   "URL d’autorisation",
		ProviderAnswer: "Réponse du fournisseur (texte non vérifié)",
		Colon:          " : ",
	}
}

// ButtonLabels are the texts of the login button, and their language.
type ButtonLabels struct{ Lang, LogInWith, About, NewWindow string }

// ButtonIn returns the texts of the button for an HTML lang attribute: English for "en"
// and "en-…", French for anything else.
func ButtonIn(lang string) ButtonLabels {
	if primary, _, _ := strings.Cut(strings.ToLower(lang), "-"); primary == "en" {
		return ButtonLabels{"en", "Sign in with", "What is ProConnect?", "new window"}
	}
	return ButtonLabels{"fr", "S’identifier avec", "Qu’est-ce que ProConnect ?", "nouvelle fenêtre"}
}

// LocalTime returns a time as the agents' clocks show it.
func LocalTime(lang string, t time.Time) string {
	place := "heure de Paris"
	if lang == "en" {
		place = "Paris time"
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil { // this system knows no time zones
		paris, place = time.UTC, "UTC"
	}
	return t.In(paris).Format("02/01/2006 15:04:05 ") + "(" + place + ")"
}

// Printable replaces the characters of a foreign text that could disturb a page:
// control characters, and those that change the direction of writing.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

package agentconnecttest

import (
	"net/http"
	"strconv"
	"strings"
)

// texts are the words of the pages in one language.
type texts struct {
	Lang, Site, Skip, Banner, BannerMore, Footer             string
	LogInTitle, For, Demanded, Pick, Roles, NoRole           string
	Level, LevelHint, Automatic, LogIn, Refuse               string
	ErrorTitle, Code, Detail, ErrorID, WhatNow, OtherMeaning string
	LoggedOutTitle, LoggedOutMore                            string
	meanings                                                 map[string]string
}

func (t texts) meaning(code string) string {
	if meaning, ok := t.meanings[code]; ok {
		return meaning
	}
	return t.OtherMeaning
}

func french() texts {
	return texts{
		Lang:           "fr",
		Site:           "AgentConnect de démonstration",
		Skip:           "Aller au contenu",
		Banner:         "Fournisseur de démonstration – ne pas utiliser en production.",
		BannerMore:     "Aucun mot de passe n’est demandé et aucune de ces personnes n’existe.",
		Footer:         "Cette page imite AgentConnect pour les tests et les démonstrations. Elle n’est pas un service de l’État.",
		LogInTitle:     "Se connecter",
		For:            "Vous vous connectez au service",
		Demanded:       "Ce service exige l’un de ces niveaux :",
		Pick:           "Choisissez un agent de démonstration",
		Roles:          "Rôles :",
		NoRole:         "aucun",
		Level:          "Niveau d’authentification (acr)",
		LevelHint:      "Ce que répond le fournisseur d’identité de l’agent.",
		Automatic:      "Automatique, selon l’agent et le service",
		LogIn:          "Se connecter",
		Refuse:         "Refuser",
		ErrorTitle:     "Une erreur est survenue",
		Code:           "Code d’erreur",
		Detail:         "Précision pour les développeurs",
		ErrorID:        "Identifiant de l’erreur",
		WhatNow:        "Revenez au service et recommencez. Si l’erreur se répète, transmettez ces informations au support du service.",
		OtherMeaning:   "La demande du service n’a pas pu être traitée.",
		LoggedOutTitle: "Déconnexion",
		LoggedOutMore:  "Vous êtes déconnecté. Vous pouvez fermer cette fenêtre.",
		meanings: map[string]string{
			"Y000400": "Un paramètre de la demande manque, est répété ou est mal formé.",
			"Y000404": "Cette adresse n’existe pas.",
			"Y030031": "L’adresse de retour (redirect_uri) n’est pas enregistrée pour ce service.",
			"Y030110": "Cette connexion est terminée, ou les cookies sont bloqués. Recommencez depuis le service.",
			"Y030111": "L’adresse de retour après déconnexion (post_logout_redirect_uri) n’est pas enregistrée pour ce service.",
			"Y020026": "Le fournisseur d’identité de votre administration est en panne ou désactivé.",
			"Y500001": "Aucun fournisseur d’identité ne correspond à cette adresse électronique.",
			"Y500015": "Ce service n’accepte que les agents publics.",
			"Y500024": "Ce compte est bloqué.",
		},
	}
}

func english() texts {
	return texts{
		Lang:           "en",
		Site:           "Demonstration AgentConnect",
		Skip:           "Skip to content",
		Banner:         "Demonstration provider – do not use in production.",
		BannerMore:     "No password is asked for and none of these people exists.",
		Footer:         "This page imitates AgentConnect for tests and demonstrations. It is not a service of the French State.",
		LogInTitle:     "Log in",
		For:            "You are logging in to the service",
		Demanded:       "This service demands one of these levels:",
		Pick:           "Pick a demonstration agent",
		Roles:          "Roles:",
		NoRole:         "none",
		Level:          "Authentication level (acr)",
		LevelHint:      "What the agent’s identity provider answers.",
		Automatic:      "Automatic, by agent and service",
		LogIn:          "Log in",
		Refuse:         "Refuse",
		ErrorTitle:     "Something went wrong",
		Code:           "Error code",
		Detail:         "For developers",
		ErrorID:        "Error identifier",
		WhatNow:        "Go back to the service and start again. If it happens again, give this information to the service’s support.",
		OtherMeaning:   "The service’s request could not be processed.",
		LoggedOutTitle: "Logged out",
		LoggedOutMore:  "You are logged out. You can close this window.",
		meanings: map[string]string{
			"Y000400": "A parameter of the request is missing, repeated or malformed.",
			"Y000404": "This address does not exist.",
			"Y030031": "The return address (redirect_uri) is not registered for this service.",
			"Y030110": "This login is over, or cookies are blocked. Start again from the service.",
			"Y030111": "The return address after logout (post_logout_redirect_uri) is not registered for this service.",
			"Y020026": "Your administration’s identity provider is failing or disabled.",
			"Y500001": "No identity provider matches this e-mail address.",
			"Y500015": "This service accepts public agents only.",
			"Y500024": "This account is blocked.",
		},
	}
}

// textsFor speaks French unless the browser prefers English.
func textsFor(r *http.Request) texts {
	best, fr, en := "", 0.0, 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			quality, _ = strconv.ParseFloat(q, 64)
		}
		switch best, _, _ = strings.Cut(strings.ToLower(tag), "-"); best {
		case "fr":
			fr = max(fr, quality)
		case "en":
			en = max(en, quality)
		}
	}
	if en > fr {
		return english()
	}
	return french()
}

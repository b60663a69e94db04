package agentconnecttest

import (
	"net/http"

	"github.com/agentconnect-go/agentconnect/internal/negotiation"
)

// texts are the texts of the pages in one language.
type texts struct {
	Lang, Site, Skip, Banner, BannerMore, Footer         string
	LogInTitle, For, Demanded, Pick, Roles, NoRole       string
	Level, LevelHint, Automatic, LogIn, Refuse           string
	ErrorTitle, Code, Detail, ErrorID, WhatNow, GoBack   string
	LoggedOutTitle, LoggedOutMore                        string
	MailTitle, MailSent, MailShown, MailCode, MailSubmit string
	mailTries, mailWrong                                 string
}

// mailProblem explains the error of a code sent by e-mail.
func (t texts) mailProblem(code string) string {
	switch code {
	case "Y170001":
		return t.mailTries
	case "Y170003":
		return t.mailWrong
	}
	return ""
}

func french() texts {
	return texts{
		Lang:           "fr",
		Site:           "ProConnect de démonstration",
		Skip:           "Aller au contenu",
		Banner:         "Fournisseur de démonstration – ne pas utiliser en production.",
		BannerMore:     "Aucun mot de passe n’est demandé et aucune de ces personnes n’existe.",
		Footer:         "Cette page imite ProConnect pour les tests et les démonstrations. Elle n’est pas un service de l’État.",
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
		GoBack:         "Revenir au service",
		LoggedOutTitle: "Déconnexion",
		LoggedOutMore:  "Vous êtes déconnecté. Vous pouvez fermer cette fenêtre.",
		MailTitle:      "Code à usage unique",
		MailSent:       "Ce service exige une double authentification. Un code à huit chiffres a été envoyé à l’adresse",
		MailShown:      "Dans cette démonstration rien n’est envoyé. Le code est",
		MailCode:       "Code à huit chiffres",
		MailSubmit:     "Valider",
		mailTries:      "Trop de tentatives. Réessayez dans cinq minutes.",
		mailWrong:      "Ce code est faux ou expiré.",
	}
}

func english() texts {
	return texts{
		Lang:           "en",
		Site:           "Demonstration ProConnect",
		Skip:           "Skip to content",
		Banner:         "Demonstration provider – do not use in production.",
		BannerMore:     "No password is asked for and none of these people exists.",
		Footer:         "This page imitates ProConnect for tests and demonstrations. It is not a service of the French State.",
		LogInTitle:     "Log in",
		For:            "You are logging in to the service",
		Demanded:       "This service demands one of these levels:",
		Pick:           "Pick a demonstration agent",
		Roles:          "Roles:",
		NoRole:         "none",
		Level:          "Authentication level (acr)",
		LevelHint:      "The answer of the agent’s identity provider.",
		Automatic:      "Automatic, by agent and service",
		LogIn:          "Log in",
		Refuse:         "Refuse",
		ErrorTitle:     "Something went wrong",
		Code:           "Error code",
		Detail:         "For developers",
		ErrorID:        "Error identifier",
		WhatNow:        "Go back to the service and start again. If it happens again, give this information to the service’s support.",
		GoBack:         "Back to the service",
		LoggedOutTitle: "Logged out",
		LoggedOutMore:  "You are logged out. You can close this window.",
		MailTitle:      "One-time code",
		MailSent:       "This service demands a second factor. A code of eight digits was sent to the address",
		MailShown:      "In this demonstration nothing is sent. The code is",
		MailCode:       "Code of eight digits",
		MailSubmit:     "Confirm",
		mailTries:      "Too many attempts. Try again in five minutes.",
		mailWrong:      "This code is wrong or has expired.",
	}
}

// textsFor returns the French texts, or the English ones if the browser prefers
// English.
func textsFor(r *http.Request) texts {
	if negotiation.Language(r.Header, "fr", "en") == "en" {
		return english()
	}
	return french()
}

package agentconnect

// A message says what happened and what to do. again tells whether a new login
// can help.
type message struct {
	title, happened, todo string
	again                 bool
}

// PageWords is the fixed text of the pages: labels of links, buttons and facts.
type PageWords struct {
	LogIn, LogOut, Cancel, Home, Demands, Support, Contact string
	ErrorCode, ErrorID, Time, ClientID, Provider           string
	Environment, AuthorizeURL                              string
	ProviderSays, LogOutTitle, LogOutQuestion, Colon       string
}

func wordsOf(lang string) PageWords {
	if lang == "en" {
		return PageWords{
			LogIn:          "Log in again",
			LogOut:         "Log out",
			Cancel:         "Cancel",
			Home:           "Home page",
			Demands:        "What is demanded here:",
			Support:        "Information for support",
			Contact:        "If you need help:",
			ErrorCode:      "Error",
			ErrorID:        "Error number",
			Time:           "Time",
			ClientID:       "Service (client_id)",
			Provider:       "Provider",
			Environment:    "Environment",
			AuthorizeURL:   "Authorization URL",
			ProviderSays:   "The provider’s answer contains (unverified text)",
			Colon:          ": ",
			LogOutTitle:    "Log out",
			LogOutQuestion: "Do you want to log out of this service and of AgentConnect?",
		}
	}
	return PageWords{
		LogIn:          "Se connecter de nouveau",
		LogOut:         "Se déconnecter",
		Cancel:         "Annuler",
		Home:           "Page d’accueil",
		Demands:        "Ce qui est demandé ici :",
		Support:        "Informations pour l’assistance",
		Contact:        "Si vous avez besoin d’aide :",
		ErrorCode:      "Erreur",
		ErrorID:        "Numéro de l’erreur",
		Time:           "Heure",
		ClientID:       "Service (client_id)",
		Provider:       "Fournisseur",
		Environment:    "Environnement",
		AuthorizeURL:   "URL d’autorisation",
		ProviderSays:   "La réponse du fournisseur contient (texte non vérifié)",
		Colon:          " : ",
		LogOutTitle:    "Se déconnecter",
		LogOutQuestion: "Voulez-vous vous déconnecter de ce service et d’AgentConnect ?",
	}
}

// in returns the reason in a language.
func (r Reason) in(lang string) string {
	if lang == "en" && r.English != "" {
		return r.English
	}
	return r.French
}

func messageOf(lang string, code Code) message {
	if lang == "en" {
		return englishMessage(code)
	}
	return frenchMessage(code)
}

func frenchMessage(code Code) message {
	switch code {
	case CodeUnauthenticated:
		return message{"Connexion nécessaire", "Vous n’êtes pas connecté, ou votre session a expiré.", "Connectez-vous, puis recommencez : ce que vous veniez d’envoyer n’a pas été enregistré.", true}
	case CodeInsufficientLevel:
		return message{"Connexion plus sûre nécessaire", "Cette page demande une connexion d’un niveau que la vôtre n’atteint pas.", "Connectez-vous de nouveau avec un moyen d’authentification plus sûr. Si votre administration n’en propose pas, adressez-vous à son service informatique.", true}
	case CodeForbidden:
		return message{"Accès non autorisé", "Vous êtes connecté, mais votre compte ne remplit pas les conditions d’accès à cette page.", "Si vous pensez que vous devriez y avoir accès, adressez-vous au support de ce service.", false}
	case CodeLoginRefused:
		return message{"Connexion refusée", "Ce service n’a pas accepté votre connexion.", "Si vous pensez que c’est une erreur, adressez-vous au support de ce service.", true}
	case CodeMethodNotAllowed:
		return message{"Requête impossible", "Cette adresse ne s’utilise pas de cette façon.", "Revenez à la page d’accueil.", false}
	case CodeCrossOrigin:
		return message{"Requête d’un autre site", "La requête vient d’un autre site et n’a rien changé ici.", "Revenez à la page d’accueil de ce service.", false}
	case CodeInvalidRequest:
		return message{"Requête incorrecte", "L’adresse ouverte est incomplète ou incorrecte.", "Recommencez la connexion depuis ce service.", true}
	case CodeUnknownState:
		return message{"Connexion expirée", "Ce navigateur n’a pas (ou n’a plus) de connexion en cours qui corresponde : elle est terminée, a duré plus de dix minutes, ou a laissé la place à de plus récentes.", "Recommencez la connexion. Si cela se reproduit, vérifiez que votre navigateur accepte les cookies.", true}
	case CodeIssuerMismatch:
		return message{"Réponse inattendue", "La réponse reçue ne vient pas du fournisseur auquel la connexion a été demandée.", "Recommencez la connexion depuis ce service.", true}
	case CodeAccessDenied:
		return message{"Connexion interrompue", "AgentConnect n’a pas confirmé votre identité : vous avez abandonné la connexion, ou elle n’atteint pas le niveau demandé.", "Vous pouvez recommencer.", true}
	case CodeLoginRequired:
		return message{"Connexion nécessaire", "Vous n’avez pas de session ouverte chez AgentConnect.", "Connectez-vous.", true}
	case CodeIdPHintNotFound:
		return message{"Fournisseur d’identité inconnu", "AgentConnect ne connaît pas le fournisseur d’identité demandé.", "Connectez-vous avec votre adresse électronique.", true}
	case CodeProviderError:
		return message{"Connexion impossible", "AgentConnect a répondu par une erreur.", "Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous au support.", true}
	case CodeProviderUnavailable:
		return message{"AgentConnect ne répond pas", "AgentConnect est injoignable pour le moment.", "Recommencez dans quelques minutes.", true}
	case CodeProviderTimeout:
		return message{"AgentConnect ne répond pas", "AgentConnect n’a pas répondu à temps.", "Recommencez dans quelques minutes.", true}
	case CodeProviderAnswer:
		return message{"Connexion impossible", "La réponse d’AgentConnect n’est pas conforme et n’a pas été acceptée.", "Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous au support.", true}
	case CodeInvalidIDToken:
		return message{"Connexion impossible", "La preuve de votre connexion que transmet AgentConnect n’a pas passé les vérifications et n’a pas été acceptée.", "Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous au support.", true}
	case CodeInvalidUserinfo:
		return message{"Connexion impossible", "Les informations à votre sujet que transmet AgentConnect n’ont pas passé les vérifications et n’ont pas été acceptées.", "Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous au support.", true}
	case CodeInvalidGrant:
		return message{"Connexion expirée", "AgentConnect n’accepte plus cette connexion : elle a trop duré, ou a déjà servi.", "Recommencez la connexion.", true}
	case CodeInvalidClient:
		return message{"Service mal configuré", "AgentConnect ne reconnaît pas ce service.", "Transmettez les informations ci-dessous au support de ce service.", false}
	case CodeSessionLost:
		return message{"Connexion perdue", "Vous venez de vous connecter, mais ce service n’a pas retrouvé votre session.", "Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous au support de ce service.", true}
	case CodeSessionStore:
		return message{"Service momentanément indisponible", "Les sessions de ce service sont inaccessibles pour le moment. Si vous veniez de vous déconnecter, votre session a été retirée de ce navigateur mais n’a pas pu être effacée du serveur.", "Recommencez dans quelques minutes. Sur un poste partagé, fermez le navigateur.", false}
	}
	return message{"Erreur du service", "Une erreur s’est produite dans ce service.", "Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous au support.", true}
}

func englishMessage(code Code) message {
	switch code {
	case CodeUnauthenticated:
		return message{"Login needed", "You are not logged in, or your session has expired.", "Log in, then try again: what you just sent was not saved.", true}
	case CodeInsufficientLevel:
		return message{"Stronger login needed", "This page demands a login of a level that yours does not reach.", "Log in again with a stronger means of authentication. If your administration offers none, ask its IT department.", true}
	case CodeForbidden:
		return message{"Access not allowed", "You are logged in, but your account does not meet the conditions of this page.", "If you think that you should have access, ask the support of this service.", false}
	case CodeLoginRefused:
		return message{"Login refused", "This service did not accept your login.", "If you think that this is a mistake, ask the support of this service.", true}
	case CodeMethodNotAllowed:
		return message{"Request not possible", "This address is not used in this way.", "Go back to the home page.", false}
	case CodeCrossOrigin:
		return message{"Request of another site", "The request comes from another site and has changed nothing here.", "Go back to the home page of this service.", false}
	case CodeInvalidRequest:
		return message{"Malformed request", "The address that was opened is incomplete or malformed.", "Start the login again from this service.", true}
	case CodeUnknownState:
		return message{"Login expired", "This browser has no login under way that matches: it is over, took more than ten minutes, or was given up for newer ones.", "Start the login again. If this happens repeatedly, make sure that your browser accepts cookies.", true}
	case CodeIssuerMismatch:
		return message{"Unexpected answer", "The answer does not come from the provider that was asked to log you in.", "Start the login again from this service.", true}
	case CodeAccessDenied:
		return message{"Login interrupted", "AgentConnect did not confirm your identity: you gave the login up, or it does not reach the level that is demanded.", "You can try again.", true}
	case CodeLoginRequired:
		return message{"Login needed", "You have no open session with AgentConnect.", "Log in.", true}
	case CodeIdPHintNotFound:
		return message{"Unknown identity provider", "AgentConnect does not know the identity provider that was asked for.", "Log in with your e-mail address.", true}
	case CodeProviderError:
		return message{"Login not possible", "AgentConnect answered with an error.", "Try again in a few minutes. If this happens repeatedly, give the information below to support.", true}
	case CodeProviderUnavailable:
		return message{"AgentConnect does not answer", "AgentConnect cannot be reached at the moment.", "Try again in a few minutes.", true}
	case CodeProviderTimeout:
		return message{"AgentConnect does not answer", "AgentConnect did not answer in time.", "Try again in a few minutes.", true}
	case CodeProviderAnswer:
		return message{"Login not possible", "AgentConnect’s answer is not as it should be and was not accepted.", "Try again in a few minutes. If this happens repeatedly, give the information below to support.", true}
	case CodeInvalidIDToken:
		return message{"Login not possible", "The proof of your login that AgentConnect sends did not pass its verification and was not accepted.", "Try again in a few minutes. If this happens repeatedly, give the information below to support.", true}
	case CodeInvalidUserinfo:
		return message{"Login not possible", "What AgentConnect sends about you did not pass its verification and was not accepted.", "Try again in a few minutes. If this happens repeatedly, give the information below to support.", true}
	case CodeInvalidGrant:
		return message{"Login expired", "AgentConnect does not accept this login any more: it took too long, or was used before.", "Start the login again.", true}
	case CodeInvalidClient:
		return message{"Service misconfigured", "AgentConnect does not recognise this service.", "Give the information below to the support of this service.", false}
	case CodeSessionLost:
		return message{"Login lost", "You have just logged in, but this service did not find your session again.", "Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.", true}
	case CodeSessionStore:
		return message{"Service unavailable at the moment", "The sessions of this service cannot be reached at the moment. If you were logging out, your session was taken from this browser but could not be deleted from the server.", "Try again in a few minutes. On a shared computer, close the browser.", false}
	}
	return message{"Error of the service", "An error happened in this service.", "Try again in a few minutes. If this happens repeatedly, give the information below to support.", true}
}

// Package wording has the texts for people, in French and in English. A refusal has one
// row for each code: the status of the answer, the links that the page offers, and the
// explanation. Pages and the button have labels. The package knows codes by their
// names, and nothing about requests, sessions and pages.
package wording

import (
	"net/http"
	"strings"
)

// A Meaning is the row of a code: the status of the answer, the offers to the person,
// and the explanation in both languages. Its texts say ProConnect; see Brand.
type Meaning struct {
	Status          int
	Offers          Offer
	French, English Explanation
}

// An Explanation tells a person the problem, its consequence for them, and the next
// step.
type Explanation struct {
	Title, Happened, Means, Todo string
}

// An Offer is something on the page of a refusal that can help.
type Offer uint8

// The offers.
const (
	Login        Offer = 1 << iota // a new login
	OtherAccount                   // a login with another account
	Logout                         // a logout: somebody is logged in
)

// In returns the explanation in a language.
func (m Meaning) In(lang string) Explanation {
	if lang == "en" {
		return m.English
	}
	return m.French
}

// Of returns the row of a code. For an unknown code it is the row of "internal".
func Of(code string) Meaning {
	switch code {
	case "unauthenticated":
		return Meaning{http.StatusUnauthorized, Login, Explanation{
			"Connexion nécessaire",
			"Vous n’êtes pas connecté, ou votre session a expiré.",
			"Ce que vous veniez d’envoyer n’a pas été enregistré.",
			"Connectez-vous, puis recommencez.",
		}, Explanation{
			"Login needed",
			"You are not logged in, or your session has expired.",
			"The data that you just sent was not saved.",
			"Log in, then try again.",
		}}
	case "insufficient_level":
		return Meaning{http.StatusForbidden, Login | OtherAccount, Explanation{
			"Connexion plus sûre nécessaire",
			"Votre connexion n’atteint pas le niveau de sécurité demandé.",
			"L’accès demandé reste fermé. Rien d’autre n’a changé.",
			"Connectez-vous de nouveau avec un moyen d’authentification plus sûr. Si votre administration n’en propose pas, adressez-vous à son service informatique.",
		}, Explanation{
			"Stronger login needed",
			"Your login does not reach the level of security that is demanded.",
			"The access that you asked for stays closed. Nothing else has changed.",
			"Log in again with a stronger means of authentication. If your administration offers none, ask its IT department.",
		}}
	case "forbidden":
		return Meaning{http.StatusForbidden, OtherAccount | Logout, Explanation{
			"Accès non autorisé",
			"Votre compte ne remplit pas les conditions d’accès à cette page.",
			"Vous êtes connecté, mais cette page vous reste fermée. Vous reconnecter avec le même compte n’y changera rien.",
			"Si un autre de vos comptes y a droit, connectez-vous avec lui. Si vous pensez que celui-ci devrait y avoir accès, adressez-vous à l’assistance de ce service.",
		}, Explanation{
			"Access not allowed",
			"Your account does not meet the conditions of this page.",
			"You are logged in, but this page stays closed to you. Logging in again with the same account will not help.",
			"If another account of yours is allowed, log in with it. If you think that this one should have access, ask the support of this service.",
		}}
	case "login_refused":
		return Meaning{http.StatusForbidden, OtherAccount, Explanation{
			"Connexion refusée",
			"Ce service n’a pas accepté votre connexion.",
			"La connexion n’a pas été ouverte. Recommencer aussitôt avec le même compte n’y changera rien.",
			"Si vous avez un autre compte, connectez-vous avec lui. Si vous pensez que c’est une erreur, adressez-vous à l’assistance de ce service.",
		}, Explanation{
			"Login refused",
			"This service did not accept your login.",
			"You were not logged in. Trying again at once with the same account will not help.",
			"If you have another account, log in with it. If you think that this is a mistake, ask the support of this service.",
		}}

	case "method_not_allowed":
		return Meaning{http.StatusMethodNotAllowed, 0, Explanation{
			"Requête impossible",
			"Cette adresse ne s’utilise pas de cette façon.",
			"Rien n’a changé.",
			"Revenez à la page d’accueil.",
		}, Explanation{
			"Request not possible",
			"This address is not used in this way.",
			"Nothing has changed.",
			"Go back to the home page.",
		}}
	case "cross_origin":
		return Meaning{http.StatusForbidden, 0, Explanation{
			"Requête d’un autre site",
			"La requête vient d’un autre site.",
			"Elle n’a rien changé ici.",
			"Revenez à la page d’accueil de ce service.",
		}, Explanation{
			"Request of another site",
			"The request comes from another site.",
			"It has changed nothing here.",
			"Go back to the home page of this service.",
		}}
	case "invalid_request":
		return Meaning{http.StatusBadRequest, Login, Explanation{
			"Requête incorrecte",
			"L’adresse ouverte est incomplète ou incorrecte.",
			"Rien n’a changé : si vous étiez connecté, vous l’êtes encore.",
			"Recommencez la connexion depuis ce service.",
		}, Explanation{
			"Malformed request",
			"The address that was opened is incomplete or malformed.",
			"Nothing has changed: if you were logged in, you still are.",
			"Start the login again from this service.",
		}}
	case "not_navigation":
		return Meaning{http.StatusForbidden, Login, Explanation{
			"Connexion non commencée",
			"Une connexion ne commence que lorsqu’une personne ouvre la page elle-même.",
			"Rien n’a changé : si vous étiez connecté, vous l’êtes encore.",
			"Ouvrez la page dans un onglet du navigateur.",
		}, Explanation{
			"Login not started",
			"A login starts only when a person opens the page itself.",
			"Nothing has changed: if you were logged in, you still are.",
			"Open the page in a tab of the browser.",
		}}
	case "unknown_state":
		return Meaning{http.StatusBadRequest, Login, Explanation{
			"Connexion expirée",
			"Ce navigateur n’a pas (ou n’a plus) de connexion en cours qui corresponde : elle est terminée, a duré plus de dix minutes, ou a laissé la place à de plus récentes.",
			"Rien n’a changé : si vous étiez connecté, vous l’êtes encore.",
			"Recommencez la connexion. Si cela se reproduit, vérifiez que votre navigateur accepte les cookies.",
		}, Explanation{
			"Login expired",
			"This browser has no login under way that matches: it is over, took more than ten minutes, or gave way to newer ones.",
			"Nothing has changed: if you were logged in, you still are.",
			"Start the login again. If this happens repeatedly, make sure that your browser accepts cookies.",
		}}
	case "issuer_mismatch":
		return Meaning{http.StatusBadRequest, Login, Explanation{
			"Réponse inattendue",
			"La réponse reçue ne vient pas du fournisseur auquel la connexion a été demandée.",
			"Elle n’a pas été acceptée, et la connexion n’a pas été ouverte.",
			"Recommencez la connexion depuis ce service.",
		}, Explanation{
			"Unexpected answer",
			"The answer does not come from the provider that was asked to log you in.",
			"It was not accepted, and you were not logged in.",
			"Start the login again from this service.",
		}}

	case "access_denied":
		return Meaning{http.StatusForbidden, Login, Explanation{
			"Connexion interrompue",
			"ProConnect n’a pas confirmé votre identité, ou vous avez abandonné la connexion.",
			"La connexion n’a pas été ouverte.",
			"Vous pouvez recommencer.",
		}, Explanation{
			"Login interrupted",
			"ProConnect did not confirm your identity, or you gave the login up.",
			"You were not logged in.",
			"You can try again.",
		}}
	case "identity_refused":
		return Meaning{http.StatusForbidden, OtherAccount, Explanation{
			"Compte non accepté",
			"ProConnect n’a pas accepté votre compte pour ce service : soit ce service est réservé aux agents publics et ProConnect ne vous reconnaît pas comme tel, soit votre compte est bloqué.",
			"La connexion n’a pas été ouverte. Recommencer avec le même compte n’y changera rien.",
			"Si vous avez un autre compte, connectez-vous avec lui. Si vous êtes agent public, demandez à votre administration de vérifier votre compte.",
		}, Explanation{
			"Account not accepted",
			"ProConnect did not accept your account for this service: either this service is for public agents only and ProConnect does not recognise you as one, or your account is blocked.",
			"You were not logged in. Trying again with the same account will not help.",
			"If you have another account, log in with it. If you are a public agent, ask your administration to check your account.",
		}}
	case "domain_refused":
		return Meaning{http.StatusForbidden, OtherAccount, Explanation{
			"Adresse électronique non acceptée",
			"Ce service n’accepte pas le domaine de votre adresse électronique.",
			"La connexion n’a pas été ouverte. Recommencer avec la même adresse n’y changera rien.",
			"Si vous avez une autre adresse professionnelle, connectez-vous avec elle. Sinon, demandez à l’assistance de ce service si votre domaine peut être accepté.",
		}, Explanation{
			"E-mail address not accepted",
			"This service does not accept the domain of your e-mail address.",
			"You were not logged in. Trying again with the same address will not help.",
			"If you have another professional address, log in with it. Otherwise, ask the support of this service whether your domain can be accepted.",
		}}
	case "provider_session_lost":
		return Meaning{http.StatusForbidden, Login, Explanation{
			"Connexion perdue en chemin",
			"La connexion n’est pas allée à son terme : vous l’avez abandonnée, ou ProConnect ne l’a pas retrouvée (bouton « précédent », cookies bloqués, page restée ouverte trop longtemps).",
			"La connexion n’a pas été ouverte.",
			"Recommencez, sans utiliser le bouton « précédent » et en acceptant les cookies de ProConnect.",
		}, Explanation{
			"Login lost on the way",
			"The login did not come to its end: you gave it up, or ProConnect did not find it again (back button, blocked cookies, a page left open for too long).",
			"You were not logged in.",
			"Try again, without the back button, and accept the cookies of ProConnect.",
		}}
	case "login_required":
		return Meaning{http.StatusForbidden, Login, Explanation{
			"Connexion nécessaire",
			"Vous n’avez pas de session ouverte chez ProConnect.",
			"Ce service n’a donc pas pu vous reconnaître.",
			"Connectez-vous.",
		}, Explanation{
			"Login needed",
			"You have no open session with ProConnect.",
			"So this service could not recognise you.",
			"Log in.",
		}}
	case "idp_hint_not_found":
		return Meaning{http.StatusBadRequest, Login, Explanation{
			"Fournisseur d’identité inconnu",
			"ProConnect ne connaît pas le fournisseur d’identité que ce service a demandé.",
			"La connexion n’a pas été ouverte.",
			"Connectez-vous avec votre adresse électronique.",
		}, Explanation{
			"Unknown identity provider",
			"ProConnect does not know the identity provider that this service asked for.",
			"You were not logged in.",
			"Log in with your e-mail address.",
		}}
	case "provider_error":
		return Meaning{http.StatusBadGateway, Login, Explanation{
			"Connexion impossible",
			"Une erreur technique s’est produite chez ProConnect ou chez le fournisseur d’identité de votre administration.",
			"La connexion n’a pas été ouverte.",
			"Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Login not possible",
			"A technical error happened at ProConnect, or at the identity provider of your administration.",
			"You were not logged in.",
			"Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.",
		}}
	case "request_rejected":
		return Meaning{http.StatusInternalServerError, 0, Explanation{
			"Service mal configuré",
			"ProConnect n’accepte pas la demande de connexion de ce service.",
			"Personne ne peut se connecter ainsi tant que ce service n’est pas corrigé. Recommencer n’y changera rien.",
			"Transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Service misconfigured",
			"ProConnect does not accept the login request of this service.",
			"Nobody can log in this way until this service is corrected. Trying again will not help.",
			"Give the information below to the support of this service.",
		}}

	case "provider_unavailable":
		return Meaning{http.StatusServiceUnavailable, Login, Explanation{
			"ProConnect ne répond pas",
			"ProConnect est injoignable pour le moment.",
			"La connexion n’a pas pu se faire.",
			"Recommencez dans quelques minutes.",
		}, Explanation{
			"ProConnect does not answer",
			"ProConnect cannot be reached at the moment.",
			"You could not be logged in.",
			"Try again in a few minutes.",
		}}
	case "provider_timeout":
		return Meaning{http.StatusGatewayTimeout, Login, Explanation{
			"ProConnect ne répond pas",
			"ProConnect n’a pas répondu à temps.",
			"La connexion n’a pas pu se faire.",
			"Recommencez dans quelques minutes.",
		}, Explanation{
			"ProConnect does not answer",
			"ProConnect did not answer in time.",
			"You could not be logged in.",
			"Try again in a few minutes.",
		}}
	case "provider_answer":
		return Meaning{http.StatusBadGateway, Login, Explanation{
			"Connexion impossible",
			"La réponse de ProConnect n’est pas conforme.",
			"Elle n’a pas été acceptée, et la connexion n’a pas été ouverte.",
			"Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Login not possible",
			"The answer of ProConnect is not as it should be.",
			"It was not accepted, and you were not logged in.",
			"Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.",
		}}
	case "invalid_id_token":
		return Meaning{http.StatusBadGateway, Login, Explanation{
			"Connexion impossible",
			"La preuve de votre connexion que transmet ProConnect n’a pas passé les vérifications.",
			"Elle n’a pas été acceptée, et la connexion n’a pas été ouverte.",
			"Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Login not possible",
			"The proof of your login that ProConnect sends did not pass its verification.",
			"It was not accepted, and you were not logged in.",
			"Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.",
		}}
	case "invalid_userinfo":
		return Meaning{http.StatusBadGateway, Login, Explanation{
			"Connexion impossible",
			"Les informations à votre sujet que transmet ProConnect n’ont pas passé les vérifications.",
			"Elles n’ont pas été acceptées, et la connexion n’a pas été ouverte.",
			"Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Login not possible",
			"The information about you that ProConnect sends did not pass its verification.",
			"It was not accepted, and you were not logged in.",
			"Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.",
		}}
	case "invalid_grant":
		return Meaning{http.StatusBadRequest, Login, Explanation{
			"Connexion expirée",
			"ProConnect n’accepte plus cette connexion : elle a trop duré, ou a déjà servi.",
			"La connexion n’a pas été ouverte.",
			"Recommencez la connexion.",
		}, Explanation{
			"Login expired",
			"ProConnect does not accept this login any more: it took too long, or was used before.",
			"You were not logged in.",
			"Start the login again.",
		}}
	case "invalid_client":
		return Meaning{http.StatusInternalServerError, 0, Explanation{
			"Service mal configuré",
			"ProConnect ne reconnaît pas ce service.",
			"Personne ne peut se connecter tant que ce service n’est pas corrigé. Recommencer n’y changera rien.",
			"Transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Service misconfigured",
			"ProConnect does not recognise this service.",
			"Nobody can log in until this service is corrected. Trying again will not help.",
			"Give the information below to the support of this service.",
		}}

	case "session_store":
		return Meaning{http.StatusServiceUnavailable, 0, Explanation{
			"Service momentanément indisponible",
			"Les sessions de ce service sont inaccessibles pour le moment.",
			"Ce service ne peut pas vous reconnaître tant que cela dure.",
			"Recommencez dans quelques minutes.",
		}, Explanation{
			"Service unavailable at the moment",
			"The sessions of this service cannot be reached at the moment.",
			"This service cannot recognise you while that lasts.",
			"Try again in a few minutes.",
		}}
	case "session_lost":
		return Meaning{http.StatusServiceUnavailable, Login, Explanation{
			"Connexion perdue",
			"Vous venez de vous connecter, mais ce service n’a pas retrouvé votre session.",
			"Vous n’êtes pas connecté à ce service.",
			"Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous à l’assistance de ce service.",
		}, Explanation{
			"Login lost",
			"You have just logged in, but this service did not find your session again.",
			"You are not logged in to this service.",
			"Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.",
		}}
	}
	return Meaning{http.StatusInternalServerError, Login, Explanation{
		"Erreur du service",
		"Une erreur s’est produite dans ce service.",
		"Ce que vous demandiez n’a pas été fait.",
		"Recommencez dans quelques minutes. Si cela se reproduit, transmettez les informations ci-dessous à l’assistance de ce service.",
	}, Explanation{
		"Error of the service",
		"An error happened in this service.",
		"Your request was not carried out.",
		"Try again in a few minutes. If this happens repeatedly, give the information below to the support of this service.",
	}}
}

// ForbiddenAtLogin is the code forbidden for a rule of every login: the agent is not
// logged in.
func ForbiddenAtLogin() Meaning {
	return Meaning{http.StatusForbidden, OtherAccount, Explanation{
		"Accès non autorisé",
		"Votre compte ne remplit pas les conditions d’accès à ce service.",
		"La connexion n’a pas été ouverte. Recommencer avec le même compte n’y changera rien.",
		"Si un autre de vos comptes y a droit, connectez-vous avec lui. Si vous pensez que celui-ci devrait y avoir accès, adressez-vous à l’assistance de ce service.",
	}, Explanation{
		"Access not allowed",
		"Your account does not meet the conditions of this service.",
		"You were not logged in. Trying again with the same account will not help.",
		"If another account of yours is allowed, log in with it. If you think that this one should have access, ask the support of this service.",
	}}
}

// NotCertified is the code insufficient_level if the certification of the head of a
// company was demanded (recommandation_parcours_certification_dirigeant).
func NotCertified() Meaning {
	return Meaning{http.StatusForbidden, Login, Explanation{
		"Statut de dirigeant non confirmé",
		"Votre statut de dirigeant n’a pas pu être confirmé.",
		"L’accès demandé reste fermé. " + certifiableFrench,
		"Si vous êtes dans le premier cas, vous pouvez recommencer. Sinon, demandez à ce service une autre façon de prouver votre statut.",
	}, Explanation{
		"Status of company head not confirmed",
		"Your status as the head of a company could not be confirmed.",
		"The access that you asked for stays closed. " + certifiableEnglish,
		"If this is your case, you can try again. Otherwise, ask this service for another way to prove your status.",
	}}
}

// The people whom ProConnect can certify as the head of a company.
const (
	certifiableFrench  = "ProConnect peut certifier une personne qui dirige une entreprise privée immatriculée en France et qui a un compte FranceConnect ; il ne certifie ni les organismes publics, ni les associations, ni les entreprises qui appartiennent seulement à d’autres entreprises."
	certifiableEnglish = "ProConnect can certify a person who heads a private company registered in France and who has a FranceConnect account; it certifies neither public bodies, nor associations, nor companies owned by companies alone."
)

// LevelHelp returns the paragraph that the page adds if the demanded level may be the
// reason of the refusal. It returns the zero Phrase for other codes, and without a level.
func LevelHelp(code string, acr []string) Phrase {
	switch {
	case IsCertification(acr) && (code == "access_denied" || code == "provider_session_lost"):
		// A person who cannot get it has to give the login up.
		return Phrase{
			certifiableFrench + " Si vous n’êtes pas dans le premier cas, demandez à ce service une autre façon de prouver votre statut.",
			certifiableEnglish + " If this is not your case, ask this service for another way to prove your status.",
		}
	case len(acr) > 0 && code == "access_denied":
		stronger := Of("insufficient_level")
		return Phrase{stronger.French.Todo, stronger.English.Todo}
	}
	return Phrase{}
}

// LogoutIncomplete is the code session_store during a logout.
func LogoutIncomplete() Meaning {
	return Meaning{http.StatusServiceUnavailable, 0, Explanation{
		"Déconnexion incomplète",
		"Votre session a été retirée de ce navigateur, mais n’a pas pu être effacée du serveur.",
		"Vous n’êtes plus connecté à ce service dans ce navigateur ; ProConnect peut encore vous y connaître.",
		"Sur un poste partagé, fermez le navigateur.",
	}, Explanation{
		"Logout incomplete",
		"Your session was taken from this browser, but could not be deleted from the server.",
		"You are no longer logged in to this service in this browser; ProConnect may still know you there.",
		"On a shared computer, close the browser.",
	}}
}

// A Brand is the name that pages and button give the federation. It was renamed in
// 2024.
type Brand string

// The names.
const (
	ProConnect   Brand = "ProConnect"
	AgentConnect Brand = "AgentConnect"
)

// In puts the brand's name into a text that says ProConnect.
func (b Brand) In(text string) string {
	if b != AgentConnect {
		return text
	}
	return strings.NewReplacer(
		"de ProConnect", "d’AgentConnect",
		"que ProConnect", "qu’AgentConnect",
		"ProConnect", "AgentConnect",
	).Replace(text)
}

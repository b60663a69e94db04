package agentconnecttest

import "net/http"

// The descriptions that come back to an application. There are no others: the details
// stay on the page.
const (
	descriptionAborted    = "user authentication aborted"
	descriptionTechnical  = "authentication aborted due to a technical error on the authorization server"
	descriptionIdentity   = "authentication aborted due to invalid identity"
	descriptionLimitation = "authentication aborted due to a configuration limitation"
	descriptionACR        = "requested ACRs could not be satisfied"
)

// pageError is a failure that the provider shows on its own page.
type pageError struct {
	code            string // on the page
	status          int
	back            redirectError // the error that the page's link brings to the application; no link without a code
	french, english string
}

// pageErrors are the errors in ProConnect's source of August 2026 that an application
// can cause or meet.
func pageErrors() []pageError {
	nothing := redirectError{}
	aborted := redirectError{"access_denied", descriptionAborted}
	technical := redirectError{"server_error", descriptionTechnical}
	identity := redirectError{"access_denied", descriptionIdentity}
	return []pageError{
		{"Y000400", http.StatusBadRequest, nothing,
			"Un paramètre de la demande manque, est répété ou est mal formé.", "A parameter of the request is missing, repeated or malformed."},
		{"Y000404", http.StatusNotFound, nothing,
			"Cette adresse n’existe pas.", "This address does not exist."},
		{"oidc-provider-rendered-error:invalid_redirect_uri", http.StatusBadRequest, nothing,
			"L’adresse de retour (redirect_uri) n’est pas enregistrée pour ce service.", "The return address (redirect_uri) is not registered for this service."},
		{"oidc-provider-rendered-error:invalid_client", http.StatusBadRequest, nothing,
			"Ce service (client_id) n’est pas enregistré.", "This service (client_id) is not registered."},
		{"oidc-provider-rendered-error:invalid_request", http.StatusBadRequest, nothing,
			"La demande de déconnexion est incorrecte.", "The request to log out is incorrect."},
		{"oidc-provider-rendered-error:server_error", http.StatusInternalServerError, nothing,
			"Une panne est survenue.", "Something failed."},
		{"oidc-provider-error:session-not-found", http.StatusBadRequest, aborted,
			"Cette connexion est terminée, ou les cookies sont bloqués. Recommencez depuis le service.", "This login is over, or cookies are blocked. Start again from the service."},
		{"Y190001", http.StatusUnauthorized, aborted,
			"Votre session a expiré, ou les cookies sont bloqués.", "Your session has expired, or cookies are blocked."},
		{"Y190012", http.StatusUnauthorized, aborted,
			"Votre session est endommagée.", "Your session is damaged."},
		{"Y190005", http.StatusInternalServerError, technical,
			"Votre session n’a pas pu être lue.", "Your session could not be read."},
		{"Y470001", http.StatusInternalServerError, technical,
			"Ce formulaire a été envoyé sans les cookies de cette page.", "This form was sent without the cookies of this page."},
		{"Y470002", http.StatusInternalServerError, technical,
			"Ce formulaire est incomplet.", "This form is incomplete."},
		{"Y020017", http.StatusBadRequest, technical,
			"Le fournisseur d’identité de votre administration est désactivé.", "Your administration’s identity provider is disabled."},
		{"Y020026", http.StatusBadRequest, redirectError{"invalid_request", descriptionTechnical},
			"Le fournisseur d’identité de votre administration est en panne.", "Your administration’s identity provider is failing."},
		{"Y020032", http.StatusBadGateway, redirectError{"invalid_request", descriptionTechnical},
			"Le fournisseur d’identité de votre administration a répondu par une erreur.", "Your administration’s identity provider answered with an error."},
		{"Y300001", http.StatusInternalServerError, technical,
			"Le réseau de votre administration (RIE) n’a pas pu être joint.", "Your administration’s network (RIE) could not be reached."},
		{"Y030002", http.StatusInternalServerError, technical,
			"Une panne est survenue.", "Something failed."},
		{"Y500001", http.StatusBadRequest, technical,
			"Aucun fournisseur d’identité ne correspond à cette adresse électronique.", "No identity provider matches this e-mail address."},
		{"Y500006", http.StatusBadRequest, technical,
			"Le fournisseur d’identité de votre administration a transmis une identité incorrecte.", "Your administration’s identity provider sent an invalid identity."},
		{"Y500027", http.StatusBadRequest, technical,
			"Votre adresse électronique n’est pas celle de ce fournisseur d’identité.", "Your e-mail address does not belong to this identity provider."},
		{"Y500015", http.StatusBadRequest, identity,
			"Ce service n’accepte que les agents publics.", "This service accepts public agents only."},
		{"Y500024", http.StatusBadRequest, identity,
			"Ce compte est bloqué.", "This account is blocked."},
		{"Y500025", http.StatusBadRequest, redirectError{"access_denied", descriptionLimitation},
			"Ce service n’accepte pas votre adresse électronique.", "This service does not accept your e-mail address."},
	}
}

// pageErrorOf returns the row of a code, or a general row for an unknown code.
func pageErrorOf(code string) pageError {
	for _, row := range pageErrors() {
		if row.code == code {
			return row
		}
	}
	return pageError{code, http.StatusBadRequest, redirectError{},
		"La demande du service n’a pas pu être traitée.", "The service’s request could not be processed."}
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapeHTML(text) {
  return String(text).replace(/[&<>"']/g, (character) => entities[character]);
}

export function page(title, body) {
  return `<!DOCTYPE html>
<html lang="fr">
<head><meta charset="utf-8"><title>${escapeHTML(title)} — fournisseur de démonstration</title></head>
<body><main><h1>${escapeHTML(title)}</h1>${body}</main></body>
</html>
`;
}

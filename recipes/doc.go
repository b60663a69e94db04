// Package recipes shows agentconnect with frameworks and in common situations. Each
// file is a recipe to copy. The tests run them all; docs/frameworks.md and
// docs/migrating.md show or link them. It is a separate module, so that the library does
// not depend on the frameworks.
package recipes

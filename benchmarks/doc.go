// Package benchmarks compares agentconnect with what else an application could
// use: it holds nothing but benchmarks, and one test that needs what they need.
// They are a module of their own, so that what is compared is no dependency of who
// imports agentconnect. See README.md.
package benchmarks

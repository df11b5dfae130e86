// Package dns reads what pods ask the DNS and what they are told, and remembers
// which names an address has.
//
// It takes messages as UDP carried them and gives names in lower case without
// the last dot, addresses, and how long they hold. A message that is not
// understood whole is refused. It has no clock, reads no socket, and knows
// nothing of policies or kernels.
//
//	q, err := dns.ParseQuestion(payload)   // ID 7, "api.example.com", A
//	asked.Add(key, q, now)
//	a, err := dns.ParseAnswer(payload)     // the addresses of that name
//	if asked.Take(key, a.Question, now) { cache.Add(a.Name, a.Records...) }
package dns

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

const (
	// validFor and renewAfter are the life of a certificate that no authority has
	// signed.
	validFor   = 90 * 24 * time.Hour
	renewAfter = 60 * 24 * time.Hour
	// clockSkew of those who look at it.
	clockSkew = time.Hour
)

// selfSigned makes certificates for the metrics endpoint, and another one long
// before one ends: a process may run for years.
type selfSigned struct {
	now func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	made    time.Time
}

// get is for tls.Config's GetCertificate.
func (s *selfSigned) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	// A clock that was set back would show one that isn't valid yet.
	if s.current != nil && now.Sub(s.made) < renewAfter && now.After(s.made.Add(-clockSkew)) {
		return s.current, nil
	}
	next, err := newCertificate(now)
	if err != nil {
		return nil, fmt.Errorf("certificate of the metrics endpoint: %w", err)
	}
	s.current, s.made = next, now
	return next, nil
}

func newCertificate(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "herald"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(validFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

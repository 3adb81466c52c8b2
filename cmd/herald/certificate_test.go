package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestCertificateIsRenewedWithoutARestart(t *testing.T) {
	now := time.Now()
	certificates := &selfSigned{now: func() time.Time { return now }}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	options := (&metricsFlags{secure: true}).options()
	server.TLS = &tls.Config{}
	for _, set := range options.TLSOpts {
		set(server.TLS)
	}
	if server.TLS.GetCertificate == nil {
		t.Fatal("the endpoint makes no certificate by itself")
	}
	server.TLS.GetCertificate = certificates.get
	server.StartTLS()
	defer server.Close()
	serial := func() string {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}}}
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		shown := answer.TLS.PeerCertificates[0]
		if now.Before(shown.NotBefore) || now.After(shown.NotAfter) {
			t.Errorf("at %s it is shown one for %s to %s", now, shown.NotBefore, shown.NotAfter)
		}
		return shown.SerialNumber.String()
	}
	first := serial()
	if serial() != first {
		t.Error("each connection gets another one")
	}
	now = now.Add(renewAfter - time.Minute)
	if serial() != first {
		t.Error("it is renewed too early")
	}
	now = now.Add(2 * time.Minute)
	second := serial()
	if second == first {
		t.Error("it is not renewed")
	}
	now = now.Add(10 * validFor) // nobody asked for years
	if serial() == second {
		t.Error("one that has ended is shown")
	}
	now = now.Add(-validFor) // a clock that was wrong
	serial()
}

func TestGivenCertificatesAreNotOverruled(t *testing.T) {
	config := &tls.Config{}
	for _, set := range (&metricsFlags{secure: true, certificates: "/certs"}).options().TLSOpts {
		set(config)
	}
	if config.GetCertificate != nil {
		t.Error("those in --metrics-cert-dir would not be shown")
	}
}

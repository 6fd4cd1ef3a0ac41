// Certs makes the certificates and keys of one test cluster: a CA, what the API server shows, client certificates, and the
// key that signs tokens of service accounts.
//
//	certs DIR NAME=COMMON-NAME[/ORGANISATION][@HOURS] …
//
// Each NAME becomes DIR/NAME.crt and DIR/NAME.key, signed by DIR/ca.crt. HOURS is how long it is valid, from an hour ago
// on: a negative number is a certificate that has expired. DIR/server.* is for 127.0.0.1 and localhost.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func write(name, kind string, der []byte) {
	check(os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func makeKey(name string) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	der, err := x509.MarshalECPrivateKey(key)
	check(err)
	write(name, "EC PRIVATE KEY", der)
	return key
}

func main() {
	if len(os.Args) < 2 {
		check(fmt.Errorf("usage: certs DIR NAME=COMMON-NAME[/ORGANISATION][@HOURS] …"))
	}
	dir := os.Args[1]
	serial := int64(1)
	template := func(common, organisation string, hours int) *x509.Certificate {
		serial++
		now := time.Now()
		from, to := now.Add(-time.Hour), now.Add(time.Duration(hours)*time.Hour)
		if hours < 0 {
			from = to.Add(-time.Hour)
		}
		subject := pkix.Name{CommonName: common}
		if organisation != "" {
			subject.Organization = []string{organisation}
		}
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: subject, NotBefore: from, NotAfter: to,
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		}
	}

	caKey := makeKey(filepath.Join(dir, "ca.key"))
	ca := template("askew-test-ca", "", 48)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage |= x509.KeyUsageCertSign
	ca.ExtKeyUsage = nil
	sign := func(name string, certificate *x509.Certificate, key *ecdsa.PrivateKey) {
		der, err := x509.CreateCertificate(rand.Reader, certificate, ca, &key.PublicKey, caKey)
		check(err)
		write(filepath.Join(dir, name+".crt"), "CERTIFICATE", der)
	}
	sign("ca", ca, caKey)

	server := template("kube-apiserver", "", 48)
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)}
	sign("server", server, makeKey(filepath.Join(dir, "server.key")))

	accounts := makeKey(filepath.Join(dir, "accounts.key"))
	der, err := x509.MarshalPKIXPublicKey(&accounts.PublicKey)
	check(err)
	write(filepath.Join(dir, "accounts.pub"), "PUBLIC KEY", der)

	for _, argument := range os.Args[2:] {
		name, subject, _ := strings.Cut(argument, "=")
		hours := 48
		if before, after, found := strings.Cut(subject, "@"); found {
			subject = before
			hours, err = strconv.Atoi(after)
			check(err)
		}
		common, organisation, _ := strings.Cut(subject, "/")
		sign(name, template(common, organisation, hours), makeKey(filepath.Join(dir, name+".key")))
	}
}

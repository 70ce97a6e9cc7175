package kms

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

const formatAWS = "aws-kms1"

// contextName is the name of the binding in the encryption context, which key
// policies and CloudTrail see.
const contextName = "turnout-org-key"

// awsService is a symmetric key of AWS KMS.
type awsService struct {
	client *kms.Client
	arn    string
}

// openAWS reads the standard credential chain: environment, profiles, web
// identity (IRSA), container and instance roles. It looks for credentials in
// the first call.
func openAWS(ctx context.Context, uri string, client *http.Client, o Options) (*awsService, error) {
	arn, region, err := parseAWS(uri)
	if err != nil {
		return nil, err
	}
	var carrier config.HTTPClient = client
	if o.HTTP == nil {
		// Only a client of AWS's own kind takes AWS_CA_BUNDLE; TLS 1.2 is its least.
		carrier = awshttp.NewBuildableClient().WithTimeout(o.Timeout)
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(carrier))
	if err != nil {
		return nil, err
	}
	return &awsService{arn: arn, client: kms.NewFromConfig(cfg, func(k *kms.Options) {
		k.Retryer = aws.NopRetryer{} // Master retries, alike for all services
		if o.Endpoint != "" {
			k.BaseEndpoint = aws.String(o.Endpoint)
		}
	})}, nil
}

func (s *awsService) encrypt(ctx context.Context, plain, bound []byte) ([]byte, error) {
	out, err := s.client.Encrypt(ctx, &kms.EncryptInput{
		KeyId: aws.String(s.arn), Plaintext: plain, EncryptionContext: encryptionContext(bound),
	})
	if err != nil {
		return nil, ofAWS(err)
	}
	return out.CiphertextBlob, nil
}

func (s *awsService) decrypt(ctx context.Context, ciphertext, bound []byte) ([]byte, error) {
	out, err := s.client.Decrypt(ctx, &kms.DecryptInput{
		KeyId: aws.String(s.arn), CiphertextBlob: ciphertext, EncryptionContext: encryptionContext(bound),
	})
	if err != nil {
		return nil, ofAWS(err)
	}
	return out.Plaintext, nil
}

func encryptionContext(bound []byte) map[string]string {
	return map[string]string{contextName: hex.EncodeToString(bound)}
}

// ofAWS judges by the error codes of the KMS API reference (Decrypt, Errors),
// and by what AWS's own library retries.
func ofAWS(err error) *refusal {
	var invalid *types.InvalidCiphertextException
	var key *types.IncorrectKeyException
	if errors.As(err, &invalid) || errors.As(err, &key) {
		return &refusal{why: wrong}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &refusal{why: away, err: err} // not reached, or no credentials yet
	}
	r := &refusal{why: denied, detail: api.ErrorCode()}
	if _, ok := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; ok {
		r.why = throttled
	} else if retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary {
		r.why = away
	}
	return r
}

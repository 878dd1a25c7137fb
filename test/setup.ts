// The built-in validator costs a second a synthesis; the suite of the whole stack turns it on.
process.env.CDK_VALIDATION = 'false';
